// ESP32-Paxcounter, payload encoder "packed": least significant byte first, the kind of message by its port.
// Source: the project's README, section "Payload format".
function unsigned(bytes, at, size) {
  var value = 0;
  for (var i = size - 1; i >= 0; i--) value = value * 256 + bytes[at + i];
  return value;
}

function signed(bytes, at, size) {
  var value = unsigned(bytes, at, size), limit = Math.pow(2, 8 * size);
  return value >= limit / 2 ? value - limit : value;
}

function count(bytes, data) {
  data.wifi = unsigned(bytes, 0, 2);
  if (bytes.length >= 4) data.ble = unsigned(bytes, 2, 2);
  data.pax = data.wifi + (data.ble || 0);
}

function status(bytes, data) {
  data.voltage = unsigned(bytes, 0, 2);
  data.uptime = unsigned(bytes, 2, 8);
  data.cputemp = bytes[10];
  data.memory = unsigned(bytes, 11, 4);
  data.reset0 = bytes[15];
  data.restarts = unsigned(bytes, 16, 4);
}

function place(bytes, data) {
  data.latitude = signed(bytes, 0, 4) / 1000000;
  data.longitude = signed(bytes, 4, 4) / 1000000;
  data.sats = bytes[8];
  data.hdop = unsigned(bytes, 9, 2) / 100;
  data.altitude = signed(bytes, 11, 2);
}

function environment(bytes, data) {
  data.temperature = ((bytes[0] << 24 >> 16) | bytes[1]) / 100;
  data.pressure = unsigned(bytes, 2, 2) / 10;
  data.humidity = unsigned(bytes, 4, 2) / 100;
  data.air = unsigned(bytes, 6, 2) / 100;
}

// port: least number of bytes, function
var PORTS = {
  1: [2, count],
  2: [20, status],
  4: [13, place],
  5: [1, function (bytes, data) { data.button = bytes[0]; }],
  7: [8, environment],
  8: [2, function (bytes, data) { data.voltage = unsigned(bytes, 0, 2); }],
  9: [5, function (bytes, data) { data.time = unsigned(bytes, 0, 4); data.timestatus = bytes[4]; }],
  10: [2, function (bytes, data) { data.ens = unsigned(bytes, 0, 2); }],
};

function decodeUplink(input) {
  var kind = PORTS[input.fPort];
  if (!kind) return { errors: ["unknown FPort"] };
  if (input.bytes.length < kind[0]) return { errors: ["the frame is too short"] };
  var data = { bytes: input.bytes, port: input.fPort };
  kind[1](input.bytes, data);
  return { data: data, warnings: [], errors: [] };
}
