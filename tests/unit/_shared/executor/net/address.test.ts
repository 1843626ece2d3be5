import assert from "node:assert/strict";
import {
  addressRefusal,
  isAddress,
} from "../../../../../supabase/functions/_shared/executor/net/address.ts";

const REFUSED: [address: string, reason: string][] = [
  ["0.0.0.0", "unspecified"],
  ["0.255.255.255", "unspecified"],
  ["10.0.0.0", "private"],
  ["10.255.255.255", "private"],
  ["100.64.0.1", "carrier-grade NAT"],
  ["100.127.255.255", "carrier-grade NAT"],
  ["127.0.0.1", "loopback"],
  ["127.255.255.254", "loopback"],
  ["168.63.129.16", "cloud metadata"],
  ["169.254.169.254", "link-local"],
  ["172.16.0.1", "private"],
  ["172.31.255.255", "private"],
  ["192.0.0.192", "reserved"],
  ["192.0.2.1", "documentation"],
  ["192.88.99.1", "reserved"],
  ["192.168.0.1", "private"],
  ["198.18.0.1", "benchmarking"],
  ["198.19.255.255", "benchmarking"],
  ["198.51.100.7", "documentation"],
  ["203.0.113.7", "documentation"],
  ["224.0.0.1", "multicast"],
  ["239.255.255.255", "multicast"],
  ["240.0.0.1", "reserved"],
  ["255.255.255.255", "reserved"],
  ["::", "unspecified"],
  ["::1", "loopback"],
  ["0:0:0:0:0:0:0:1", "loopback"],
  ["fc00::1", "unique local"],
  ["fdff:ffff::1", "unique local"],
  ["fd00:ec2::254", "unique local"],
  ["fe80::1", "link-local"],
  ["fe80::1%eth0", "link-local"],
  ["febf::1", "link-local"],
  ["fec0::1", "site-local"],
  ["ff02::1", "multicast"],
  ["2001::1", "reserved"],
  ["2001:10::1", "reserved"],
  ["2001:1ff:ffff::1", "reserved"],
  ["2001:db8::1", "documentation"],
  ["2001:0DB8:0:0::1", "documentation"],
  ["2002:7f00:1::1", "6to4"],
  ["2002:808:808::1", "6to4"],
  ["3fff::1", "documentation"],
  ["3fff:fff::1", "documentation"],
  ["::ffff:127.0.0.1", "loopback"],
  ["::ffff:7f00:1", "loopback"],
  ["::ffff:10.1.2.3", "private"],
  ["0:0:0:0:0:ffff:169.254.169.254", "link-local"],
  ["64:ff9b::127.0.0.1", "loopback"],
  ["64:ff9b::a00:1", "private"],
  ["64:ff9b:1::1", "reserved"],
  ["::127.0.0.1", "reserved"],
  ["::8.8.8.8", "reserved"],
  ["100::1", "reserved"],
  ["4000::1", "reserved"],
  ["5f00::1", "reserved"],
  ["", "not an IP address"],
  ["localhost", "not an IP address"],
  ["1.2.3", "not an IP address"],
  ["1.2.3.256", "not an IP address"],
  ["1.2.3.4.5", "not an IP address"],
  ["0x7f.0.0.1", "not an IP address"],
  ["2130706433", "not an IP address"],
  [":::1", "not an IP address"],
  ["1::2::3", "not an IP address"],
  ["1:2:3:4:5:6:7:8:9", "not an IP address"],
  ["1:2:3:4:5:6:7::8", "not an IP address"],
  ["12345::1", "not an IP address"],
  ["g::1", "not an IP address"],
  ["::ffff:1.2.3.999", "not an IP address"],
];

const PUBLIC = [
  "1.1.1.1",
  "8.8.8.8",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.1",
  "168.63.129.15",
  "169.253.255.255",
  "172.15.255.255",
  "172.32.0.0",
  "192.0.1.1",
  "192.167.255.255",
  "192.169.0.0",
  "198.17.255.255",
  "198.20.0.0",
  "223.255.255.255",
  "2001:200::1",
  "2001:4860:4860::8888",
  "2606:4700:4700::1111",
  "2a00:1450:4001:81b::200e",
  "3ffe::1",
  "::ffff:8.8.8.8",
  "64:ff9b::8.8.8.8",
];

Deno.test("addressRefusal() names why an address is not public", () => {
  for (const [address, reason] of REFUSED) assert.equal(addressRefusal(address), reason, address);
});

Deno.test("addressRefusal() lets public addresses through", () => {
  for (const address of PUBLIC) assert.equal(addressRefusal(address), undefined, address);
});

Deno.test("isAddress() tells addresses from names", () => {
  for (const address of PUBLIC) assert.equal(isAddress(address), true, address);
  for (const name of ["example.com", "1.2.3.4.example", "", "a:b", "1.2.3.300"]) {
    assert.equal(isAddress(name), false, name);
  }
});
