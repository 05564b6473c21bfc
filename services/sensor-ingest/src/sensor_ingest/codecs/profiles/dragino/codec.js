// Dragino's sensors of temperature, distance, air, soil, doors and inputs. Most significant byte first.
// Source: Dragino's user manuals, section "Uplink Payload"; the model stands in the variable "model".
function unsigned(bytes, at) {
  return bytes[at] << 8 | bytes[at + 1];
}

function signed(bytes, at) {
  return (bytes[at] << 24 >> 16) | bytes[at + 1];
}

function battery(bytes) {
  return (unsigned(bytes, 0) & 0x3fff) / 1000;
}

function lht65(bytes) {
  var data = {
    BatV: battery(bytes),
    Bat_status: bytes[0] >> 6,
    TempC_SHT: signed(bytes, 2) / 100,
    Hum_SHT: unsigned(bytes, 4) / 10,
  };
  var external = bytes[6] & 0x7f;
  if (external === 0) data.Ext_sensor = "No external sensor";
  if (external === 1) {
    data.Ext_sensor = "Temperature Sensor";
    if (unsigned(bytes, 7) !== 0x7fff) data.TempC_DS = signed(bytes, 7) / 100;
  }
  if (external === 5) {
    data.Ext_sensor = "Illumination Sensor";
    data.ILL_lux = unsigned(bytes, 7);
  }
  if (external === 6) {
    data.Ext_sensor = "ADC Sensor";
    data.ADC_V = unsigned(bytes, 7) / 1000;
  }
  return data;
}

function distance(bytes) {
  var millimetres = unsigned(bytes, 2);
  var data = {
    Bat: battery(bytes),
    Distance: millimetres + " mm",
    Interrupt_flag: bytes[4],
    TempC_DS18B20: (signed(bytes, 5) / 10).toFixed(2),
    Sensor_flag: bytes[7],
  };
  if (bytes[7] === 1 && millimetres > 20) data.distance_mm = millimetres;
  return data;
}

function ldds75(bytes) {
  return bytes.length < 8 || bytes[7] === 0 ? { distance: "No Sensor" } : distance(bytes);
}

function ldds04(bytes) {
  var data = { BatV: battery(bytes), EXTI_Trigger: bytes[0] & 0x80 ? "TRUE" : "FALSE", mes_type: bytes[10] };
  for (var channel = 1; channel <= 4; channel++) data["distance" + channel + "_cm"] = unsigned(bytes, 2 * channel) / 10;
  return data;
}

function laq4(bytes) {
  var mode = (bytes[2] & 0x7c) >> 2;
  if (mode !== 1) return { Bat_V: battery(bytes), Work_mode: mode === 31 ? "ALARM" : "mode " + mode };
  return {
    Bat_V: battery(bytes),
    Work_mode: "CO2",
    Alarm_status: bytes[2] & 1 ? "TRUE" : "FALSE",
    TVOC_ppb: unsigned(bytes, 3),
    CO2_ppm: unsigned(bytes, 5),
    TempC_SHT: signed(bytes, 7) / 10,
    Hum_SHT: unsigned(bytes, 9) / 10,
  };
}

function lsph01(bytes) {
  return {
    Bat: battery(bytes),
    TempC_DS18B20: (signed(bytes, 2) / 10).toFixed(2),
    PH1_SOIL: (unsigned(bytes, 4) / 100).toFixed(2),
    TEMP_SOIL: (signed(bytes, 6) / 10).toFixed(2),
    Interrupt_flag: bytes[8],
    Message_type: bytes[10],
  };
}

function lt33222(bytes) {
  var mode = bytes[10] & 0x3f, states = bytes[8];
  var data = { Hardware_mode: bytes[10] >> 6 ? "LT22222" : "LT33222" };
  if (mode !== 1) {
    data.Work_mode = "mode " + mode;
    return data;
  }
  data.Work_mode = "2ACI+2AVI";
  ["AVI1_V", "AVI2_V", "ACI1_mA", "ACI2_mA"].forEach(function (name, place) {
    data[name] = signed(bytes, 2 * place) / 1000;
  });
  data.RO1_status = states & 0x80 ? "ON" : "OFF";
  data.RO2_status = states & 0x40 ? "ON" : "OFF";
  ["DI3_status", "DI2_status", "DI1_status"].forEach(function (name, place) {
    data[name] = states & (0x20 >> place) ? "H" : "L";
  });
  // open collector: a set bit pulls the output down
  ["DO3_status", "DO2_status", "DO1_status"].forEach(function (name, place) {
    data[name] = states & (0x04 >> place) ? "L" : "H";
  });
  return data;
}

function ltc2(bytes) {
  var kind = bytes[2] & 0x0f, divisor = kind === 2 ? 10 : 100;
  var name = kind === 3 ? "Res_Channel" : "Temp_Channel";
  var data = { BatV: battery(bytes), Ext: kind };
  data[name + 1] = signed(bytes, 3) / divisor;
  data[name + 2] = signed(bytes, 5) / divisor;
  data.Systimestamp = unsigned(bytes, 7) * 65536 + unsigned(bytes, 9);
  return data;
}

function door(bytes) {
  return {
    BAT_V: battery(bytes),
    MOD: bytes[2],
    DOOR_OPEN_STATUS: bytes[0] & 0x80 ? 1 : 0,
    DOOR_OPEN_TIMES: bytes[3] << 16 | unsigned(bytes, 4),
    LAST_DOOR_OPEN_DURATION: bytes[6] << 16 | unsigned(bytes, 7),
    ALARM: bytes[9] & 1,
  };
}

// model: port, least number of bytes, function
var MODELS = {
  lht65: [2, 11, lht65],
  ldds75: [2, 4, ldds75],
  ldds20: [2, 8, distance],
  ldds45: [2, 8, distance],
  ldds04: [2, 11, ldds04],
  laq4: [2, 11, laq4],
  lsph01: [2, 11, lsph01],
  "lt33222-l": [2, 11, lt33222],
  ltc2: [2, 11, ltc2],
  lwl01: [10, 7, door],
  lwl02: [10, 7, door],
};

function decodeUplink(input) {
  var model = MODELS[input.variables.model];
  if (!model) return { errors: ["unknown model"] };
  if (input.fPort !== model[0]) return { errors: ["unknown FPort"] };
  if (input.bytes.length < model[1]) return { errors: ["the frame is too short"] };
  return { data: model[2](input.bytes) };
}
