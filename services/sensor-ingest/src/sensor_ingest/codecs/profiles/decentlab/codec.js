// Decentlab sensors, protocol version 2. A frame: version, device id, flags, then for each flag that is set the
// 16-bit words of one sensor, most significant byte first. The last flag is the battery, with DL-IAM and
// DL-PM the first. Source: Decentlab's data sheets, section "Payload format"; the model stands in the variable "model".
var DEGREES = "°C";

function signed(word) {
  return word - 32768;
}

function counted(low, high) {
  return low + high * 65536;
}

// voltage of the 24-bit converter behind analogue inputs, at a reference of 3 V
function converted(low, high) {
  return 3 * (counted(low, high) / 8388608 - 1);
}

function field(name, unit, compute) {
  var key = name.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/_$/, "");
  return { key: key, name: name, unit: unit, compute: compute };
}

function word(name, unit, at, factor) {
  return field(name, unit, function (x) { return x[at] * (factor || 1); });
}

// a number with its zero at 32768, as most words are
function centred(name, unit, at, divisor) {
  return field(name, unit, function (x) { return signed(x[at]) / divisor; });
}

function pulses(channel) {
  return [4, [
    word(channel + "Pulse count", undefined, 0),
    word(channel + "Pulse interval", "s", 1),
    field(channel + "Cumulative pulse count", undefined, function (x) { return counted(x[2], x[3]); }),
  ]];
}

function particles() {
  var mass = ["PM1.0", "PM2.5", "PM4", "PM10"].map(function (size, at) {
    return word(size + " mass concentration", "µg⋅m⁻³", at, 0.1);
  });
  var number = ["PM0.5", "PM1.0", "PM2.5", "PM4", "PM10"].map(function (size, at) {
    return word(size + " number concentration", "1⋅cm⁻³", at + 5, 0.1);
  });
  return mass.concat([word("Typical particle size", "nm", 4)], number);
}

function loggedDistances() {
  var names = ["Distance: average", "Distance: minimum", "Distance: maximum", "Distance: median",
    "Distance: 10th percentile", "Distance: 25th percentile", "Distance: 75th percentile",
    "Distance: 90th percentile", "Distance: most frequent value"];
  var fields = names.map(function (name, at) { return word(name, "mm", at); });
  return fields.concat([
    word("Number of samples", undefined, 9),
    field("Total acquisition time", "ms", function (x) { return x[10] / 1.024; }),
  ]);
}

function soilProfile() {
  var fields = [];
  for (var depth = 0; depth < 8; depth++) {
    fields.push(depthField("Soil moisture at depth " + depth, undefined, 2 * depth, 2500, 500));
    fields.push(depthField("Soil temperature at depth " + depth, DEGREES, 2 * depth + 1, 32768, 100));
  }
  return fields;
}

function depthField(name, unit, at, zero, divisor) {
  return field(name, unit, function (x) { return (x[at] - zero) / divisor; });
}

function permittivity(words) {
  var raw = words[0] / 10;
  return Math.pow(0.000000002887 * Math.pow(raw, 3) - 0.0000208 * Math.pow(raw, 2) + 0.05276 * raw - 43.39, 2);
}

var soil = [
  field("Dielectric permittivity", undefined, permittivity),
  field("Volumetric water content", "m³⋅m⁻³", function (x) { return x[0] / 10 * 0.0003879 - 0.6956; }),
  field("Soil temperature", DEGREES, function (x) { return signed(x[1]) / 10; }),
];

// a vibrating wire: weight follows from the square of its frequency, by two numbers of the individual device
function weight(x, variables) {
  var frequency = x[0] / (x[1] / 32768);
  var f0 = setting("f0", variables), k = setting("k", variables);
  return (frequency * frequency - f0 * f0) * k / 1000000;
}

// Keller's transmitters; their range is that of the individual device, so it stands in variables
function setting(name, variables) {
  var number = Number(variables[name]);
  if (!isFinite(number)) throw new Error("set the variable " + name);
  return number;
}

function pr21Pressure(x, variables) {
  var minimum = setting("minimum", variables), maximum = setting("maximum", variables);
  return (x[0] - 16384) / 32768 * (maximum - minimum) + minimum;
}

function illuminance(x) {
  return Math.max(x[0] - 1.64 * x[1], 0.59 * x[0] - 0.86 * x[1], 0) * 1.5504;
}

var BATTERY = [1, [word("Battery voltage", "V", 0, 0.001)]];

var MODELS = {
  "dl-dlr2-002": [pulses("")],
  "dl-dlr2-003": [[1, [word("Input", undefined, 0)]]],
  "dl-dlr2-004-10": [[1, [field("Current", "mA", function (x) { return 150 * signed(x[0]) / 32768; })]]],
  "dl-dlr2-005": [[2, [field("Voltage", "V", function (x) { return converted(x[0], x[1]); })]]],
  "dl-dlr2-010": [pulses("CH0: "), pulses("CH1: ")],
  "dl-alb": [[2, [
    centred("Incoming radiation", "W⋅m⁻²", 0, 10),
    centred("Reflected radiation", "W⋅m⁻²", 1, 10),
    field("Albedo", undefined, function (x) { return signed(x[0]) ? signed(x[1]) / signed(x[0]) : undefined; }),
  ]]],
  "dl-atm22": [[8, [
    centred("Wind speed", "m⋅s⁻¹", 0, 100),
    centred("Wind direction", "°", 1, 10),
    centred("Maximum wind speed", "m⋅s⁻¹", 2, 100),
    centred("Air temperature", DEGREES, 3, 10),
    centred("X orientation angle", "°", 4, 10),
    centred("Y orientation angle", "°", 5, 10),
    centred("North wind speed", "m⋅s⁻¹", 6, 100),
    centred("East wind speed", "m⋅s⁻¹", 7, 100),
  ]]],
  "dl-ds18": [[1, [field("Temperature", DEGREES, function (x) { return signed(x[0]) / 16; })]]],
  "dl-iam": [BATTERY, [2, [
    field("Air temperature", DEGREES, function (x) { return 175 * x[0] / 65535 - 45; }),
    field("Air humidity", "%", function (x) { return 100 * x[1] / 65535; }),
  ]], [1, [word("Barometric pressure", "Pa", 0, 2)]], [2, [
    word("Ambient light (visible + infrared)", undefined, 0),
    word("Ambient light (infrared)", undefined, 1),
    field("Illuminance", "lx", illuminance),
  ]], [3, [
    field("CO2 concentration", "ppm", function (x) { return signed(x[0]); }),
    word("CO2 sensor status", undefined, 1),
    word("Raw IR reading", undefined, 2),
  ]], [1, [word("Activity counter", undefined, 0)]], [1, [word("Total VOC", "ppb", 0)]]],
  "dl-kl66": [[3, [
    field("Counter reading", undefined, function (x) { return x[0]; }),
    field("Measurement interval", undefined, function (x) { return x[1] / 32768; }),
    field("Frequency", "Hz", function (x) { return x[0] / (x[1] / 32768); }),
    field("Weight", "g", weight),
    field("Elongation", "µm", function (x, v) { return weight(x, v) * -1.5 / 1000 * 9.8067; }),
    field("Strain", "µm⋅m⁻¹", function (x, v) { return weight(x, v) * -1.5 / 1000 * 9.8067 / 0.066; }),
  ]]],
  "dl-lid": [[11, loggedDistances()]],
  "dl-itst": [[2, [
    field("Temperature: target", DEGREES, function (x) { return (x[0] - 1000) / 10; }),
    field("Temperature: head", DEGREES, function (x) { return (x[1] - 1000) / 10; }),
  ]]],
  "dl-mbx": [[2, [word("Distance", "mm", 0), word("Number of valid samples", undefined, 1)]]],
  "dl-ntu": [[5, [
    word("Status", undefined, 0),
    centred("Temperature", DEGREES, 1, 100),
    word("Turbidity in NTU", "NTU", 2, 0.1),
    word("Turbidity in FNU", "FNU", 3, 0.1),
    word("Turbidity in mg/l", "mg⋅l⁻¹", 4, 0.1),
  ]]],
  "dl-pm": [BATTERY, [10, particles()], [2, [
    field("Air temperature", DEGREES, function (x) { return 175.72 * x[0] / 65536 - 46.85; }),
    field("Air humidity", "%", function (x) { return 125 * x[1] / 65536 - 6; }),
  ]], [1, [word("Barometric pressure", "Pa", 0, 2)]]],
  "dl-par": [[1, [field("Photosynthetically active radiation", "µmol⋅m⁻²⋅s⁻¹",
    function (x) { return 3 * signed(x[0]) / 32768 * 5000; })]]],
  "dl-pyr": [[1, [field("Total solar radiation", "W⋅m⁻²",
    function (x) { return 3 * signed(x[0]) / 32768 * 5000; })]]],
  "dl-pr21": [[2, [
    field("Pressure", "bar", pr21Pressure),
    field("Temperature", DEGREES, function (x) { return (x[1] - 384) * 0.003125 - 50; }),
  ]]],
  "dl-pr36": [[2, [
    field("Pressure", "bar", function (x, v) { return signed(x[0]) / setting("scale", v); }),
    field("Temperature", DEGREES, function (x) { return signed(x[1]) / 256; }),
  ]]],
  "dl-pr36ctd": [[4, [
    field("Pressure", "bar", function (x, v) { return signed(x[0]) / setting("scale", v); }),
    centred("Temperature (electronics)", DEGREES, 1, 256),
    centred("Temperature (PT1000)", DEGREES, 2, 256),
    centred("Electrical conductivity", "mS⋅cm⁻¹", 3, 1024),
  ]]],
  "dl-smtp": [[16, soilProfile()]],
  "dl-tbrg": [[4, [
    word("Precipitation", "mm", 0, 0.1),
    word("Precipitation interval", "s", 1),
    field("Cumulative precipitation", "mm", function (x) { return counted(x[2], x[3]) * 0.1; }),
  ]]],
  "dl-trs11": [[2, soil]],
  "dl-trs12": [[3, soil.concat([word("Electrical conductivity", "µS⋅cm⁻¹", 2)])]],
  "dl-trs21": [[2, [
    field("Water potential", "kPa", function (x) { return x[0] / -10; }),
    field("Soil temperature", DEGREES, function (x) { return signed(x[1]) / 10; }),
  ]]],
};

function decodeUplink(input) {
  var bytes = input.bytes, sensors = MODELS[input.variables.model];
  if (!sensors) return { errors: ["unknown model"] };
  if (bytes[0] !== 2) return { errors: ["protocol version " + bytes[0] + " is not read"] };
  var data = { protocol_version: 2, device_id: bytes[1] << 8 | bytes[2] };
  var flags = bytes[3] << 8 | bytes[4], at = 5;
  var all = sensors[0] === BATTERY ? sensors : sensors.concat([BATTERY]);
  if (flags >> all.length) return { errors: ["flags of another model"] };
  for (var sensor = 0; sensor < all.length; sensor++, flags >>= 1) {
    if (!(flags & 1)) continue;
    var count = all[sensor][0], words = [];
    if (at + 2 * count > bytes.length) return { errors: ["the frame ends too early"] };
    for (; words.length < count; at += 2) words.push(bytes[at] << 8 | bytes[at + 1]);
    all[sensor][1].forEach(function (said) {
      data[said.key] = { displayName: said.name, value: said.compute(words, input.variables), unit: said.unit };
    });
  }
  return at === bytes.length ? { data: data } : { errors: ["the frame is too long"] };
}
