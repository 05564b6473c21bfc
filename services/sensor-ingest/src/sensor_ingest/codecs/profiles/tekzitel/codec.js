// TekZitel TekziPark parking sensor: a byte of flags, temperature, number of the place, then beacons.
var FLAGS = { keepAlive: 0, reset: 1, No_Beacon: 2, Radar: 3, Obstruction: 4, Good_Battery: 5, occupied: 7 };

function decodeUplink(input) {
  var bytes = input.bytes;
  if (input.fPort !== 1) return { errors: ["unknown FPort"] };
  if (bytes.length < 3) return { errors: ["the frame is too short"] };
  var data = { Temperature: bytes[1] << 24 >> 24, Parking_ID: bytes[2] };
  Object.keys(FLAGS).forEach(function (name) { data[name] = bytes[0] >> FLAGS[name] & 1; });
  if (bytes.length > 3) {
    data.Beacon_RSSI = bytes[3] << 24 >> 24;
    data.Beacons = [];
    for (var at = 4; at + 1 < bytes.length; at += 2) data.Beacons.push(bytes[at] << 8 | bytes[at + 1]);
  }
  return { data: data };
}
