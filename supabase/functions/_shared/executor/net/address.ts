/**
 * Which IP addresses an executor may connect to: those of the public internet, and nothing else.
 *
 * IPv4 is a list of what is refused (the IANA special-purpose registry). IPv6 is the other way
 * round: only global unicast (`2000::/3`) is let through, less the ranges reserved inside it.
 * Forms that carry an IPv4 address (mapped, NAT64) stand or fall with the address they carry.
 */

const REFUSED_IPV4: readonly (readonly [cidr: string, what: string])[] = [
  ["0.0.0.0/8", "unspecified"],
  ["10.0.0.0/8", "private"],
  ["100.64.0.0/10", "carrier-grade NAT"],
  ["127.0.0.0/8", "loopback"],
  ["168.63.129.16/32", "cloud metadata"],
  ["169.254.0.0/16", "link-local"],
  ["172.16.0.0/12", "private"],
  ["192.0.0.0/24", "reserved"],
  ["192.0.2.0/24", "documentation"],
  ["192.88.99.0/24", "reserved"],
  ["192.168.0.0/16", "private"],
  ["198.18.0.0/15", "benchmarking"],
  ["198.51.100.0/24", "documentation"],
  ["203.0.113.0/24", "documentation"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved"],
];

const REFUSED_IPV6: readonly (readonly [cidr: string, what: string])[] = [
  ["::/128", "unspecified"],
  ["::1/128", "loopback"],
  ["fc00::/7", "unique local"],
  ["fe80::/10", "link-local"],
  ["fec0::/10", "site-local"],
  ["ff00::/8", "multicast"],
  ["2001::/23", "reserved"],
  ["2001:db8::/32", "documentation"],
  ["2002::/16", "6to4"],
  ["3fff::/20", "documentation"],
];

/** Ranges whose last 32 bits are an IPv4 address that the packet ends up at. */
const CARRIES_IPV4 = ["::ffff:0:0/96", "64:ff9b::/96"];
const GLOBAL_UNICAST = "2000::/3";

interface Range {
  prefix: bigint;
  shift: bigint;
  what: string;
}

const ipv4Ranges = REFUSED_IPV4.map(([cidr, what]) => range(cidr, what, 32));
const ipv6Ranges = REFUSED_IPV6.map(([cidr, what]) => range(cidr, what, 128));
const carryingRanges = CARRIES_IPV4.map((cidr) => range(cidr, "", 128));
const globalUnicast = range(GLOBAL_UNICAST, "", 128);

/**
 * Says why an address is not of the public internet (`loopback`, `private`, …), or `undefined`
 * when it is. What is not an IP address at all is refused too.
 */
export function addressRefusal(address: string): string | undefined {
  const ipv4 = parseIpv4(address);
  if (ipv4 !== undefined) return ipv4Refusal(ipv4);
  const ipv6 = parseIpv6(address);
  if (ipv6 === undefined) return "not an IP address";
  if (carryingRanges.some((each) => within(ipv6, each))) {
    return ipv4Refusal(ipv6 & 0xffff_ffffn);
  }
  const refused = ipv6Ranges.find((each) => within(ipv6, each));
  if (refused !== undefined) return refused.what;
  return within(ipv6, globalUnicast) ? undefined : "reserved";
}

/** Whether the text is an IPv4 or IPv6 address (without brackets). */
export function isAddress(text: string): boolean {
  return parseIpv4(text) !== undefined || parseIpv6(text) !== undefined;
}

function ipv4Refusal(address: bigint): string | undefined {
  return ipv4Ranges.find((each) => within(address, each))?.what;
}

function within(address: bigint, { prefix, shift }: Range): boolean {
  return address >> shift === prefix;
}

function range(cidr: string, what: string, bits: 32 | 128): Range {
  const [base = "", length = ""] = cidr.split("/");
  const address = bits === 32 ? parseIpv4(base) : parseIpv6(base);
  if (address === undefined) {
    throw new TypeError(`Cannot read the address range: ${cidr}`);
  }
  const shift = BigInt(bits - Number(length));
  return { prefix: address >> shift, shift, what };
}

/** Four decimal parts only: URL parsing has turned octal, hexadecimal and short forms into them. */
function parseIpv4(text: string): bigint | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
    ?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum << 8n | BigInt(part), 0n);
}

/** Reads `::` and a dotted last part; a zone (`fe80::1%eth0`) is cut off. */
function parseIpv6(text: string): bigint | undefined {
  let address = text.replace(/%.*$/s, "");
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (dotted !== null) {
    const ipv4 = parseIpv4(dotted[2] ?? "");
    if (ipv4 === undefined) return undefined;
    address = `${dotted[1]}${(ipv4 >> 16n).toString(16)}:${(ipv4 & 0xffffn).toString(16)}`;
  }
  const halves = address.split("::").map((half) => half === "" ? [] : half.split(":"));
  const [head = [], tail] = halves;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (halves.length > 2 || (tail === undefined ? missing !== 0 : missing < 1)) {
    return undefined;
  }
  const groups = [
    ...head,
    ...new Array<string>(missing).fill("0"),
    ...(tail ?? []),
  ];
  if (groups.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.reduce((sum, group) => sum << 16n | BigInt(`0x${group}`), 0n);
}
