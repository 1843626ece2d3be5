// Writes examples/data/orders.json: half a year of a small stationery shop, the same on every run.
// deno run --allow-write=examples/data scripts/make_example_orders.ts

const FILE = new URL("../examples/data/orders.json", import.meta.url);
const ORDERS = 300;
const FROM = Date.UTC(2026, 0, 2);
const DAYS = 178;

interface Item {
  sku: string;
  name: string;
  quantity: number;
  unit_cents: number;
}

interface Customer {
  id: string;
  name: string;
  email: string;
  country: string | null;
}

interface Order {
  id: string;
  ordered_at: string;
  status: "paid" | "shipped" | "refunded" | "cancelled";
  customer: Customer;
  items: Item[];
  shipping_cents: number;
  discount_cents: number;
  total_cents: number;
  refunded_cents: number;
  payment: "card" | "paypal" | "invoice" | "sepa";
  note: string | null;
}

/** Name, price in cents, and how often it is bought compared with others. */
const PRODUCTS: [sku: string, name: string, cents: number, weight: number][] = [
  ["NB-A5-DOT", "Notebook A5, dotted", 1490, 9],
  ["NB-A4-RUL", "Notebook A4, ruled", 1990, 6],
  ["NB-POCKET", "Pocket notebook, set of 3", 1250, 7],
  ["PAPER-500", "Paper 90 g, 500 sheets", 899, 8],
  ["PAPER-COT", "Cotton paper, 50 sheets", 2450, 3],
  ["INK-BLUE", "Ink “Mill Pond”, 50 ml", 1200, 5],
  ["INK-SEPIA", "Ink “Oak Wheel”, 50 ml", 1350, 4],
  ["PEN-FOUNT", "Fountain pen, steel nib", 4900, 3],
  ["PEN-GOLD", "Fountain pen, gold nib", 18900, 1],
  ["NIB-M", "Spare nib, medium", 790, 2],
  ["ENV-C6", "Envelopes C6, 25 pieces", 650, 5],
  ["WAX-SEAL", "Sealing wax, red", 975, 2],
];

const PEOPLE: [name: string, country: string][] = [
  ["Anna Schäfer", "DE"],
  ["Jonas Weiß", "DE"],
  ["Lea Vogel", "DE"],
  ["Mehmet Yılmaz", "DE"],
  ["Greta Lindqvist", "SE"],
  ["Oskar Åberg", "SE"],
  ["Camille Lefèvre", "FR"],
  ["Hugo Martin", "FR"],
  ["Zoé D'Almeida", "FR"],
  ["Inès Moreau", "FR"],
  ["Daan de Vries", "NL"],
  ["Sanne Bakker", "NL"],
  ["Maximilian Gruber", "AT"],
  ["Katharina Huber", "AT"],
  ["Niamh O'Brien", "IE"],
  ["Conor Walsh", "IE"],
  ["Łukasz Nowak", "PL"],
  ["Zofia Wiśniewska", "PL"],
  ["Giulia Conti", "IT"],
  ["Matteo Ricci", "IT"],
  ["Paul Neumann", "DE"],
  ["Clara Hoffmann", "DE"],
  ["Theo Brandt", "DE"],
  ["Marie Keller", "DE"],
  ["Louis Bernard", "FR"],
  ["Emma Jansen", "NL"],
  ["Elin Sjöberg", "SE"],
  ["Vincent Bauer", "AT"],
];

const NOTES = [
  "Please leave it with the neighbour 🙏",
  'Gift: write "For Oma" on the card',
  "Bitte ohne Plastik verpacken",
  "Livrer après 18 h, s'il vous plaît",
  "Second floor\nno lift",
];

/** Mulberry32: small, and the same everywhere. */
function randomFrom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const random = randomFrom(1828);
const chance = (probability: number) => random() < probability;
const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));

function pick<T>(list: readonly T[], weight: (entry: T, index: number) => number): T {
  let left = random() * list.reduce((sum, entry, index) => sum + weight(entry, index), 0);
  const found = list.find((entry, index) => (left -= weight(entry, index)) < 0) ?? list[0];
  if (found === undefined) throw new Error("There is nothing to pick from");
  return found;
}

function customerOf([name, country]: [string, string]): Customer {
  const plain = name.replace("Ł", "L").replace("ı", "i").normalize("NFD")
    .replace(/[^A-Za-z ]/g, "").toLowerCase().split(" ");
  const index = PEOPLE.findIndex(([known]) => known === name);
  return {
    id: `C-${101 + index}`,
    name,
    email: `${plain.join(".")}@example.com`,
    country,
  };
}

function makeItems(): Item[] {
  const chosen = new Map<string, Item>();
  for (let left = pick([1, 2, 3, 4], (size) => 5 - size); left > 0; left--) {
    const [sku, name, cents] = pick(PRODUCTS, ([, , , weight]) => weight);
    const quantity = pick([1, 2, 3, 5], (count) => 1 / count);
    chosen.set(sku, { sku, name, quantity, unit_cents: cents });
  }
  return [...chosen.values()];
}

function totalOf({ items, shipping_cents, discount_cents }: Order): number {
  const goods = items.reduce((sum, item) => sum + item.quantity * item.unit_cents, 0);
  return goods + shipping_cents - discount_cents;
}

function makeOrder(at: number): Order {
  const customer = customerOf(pick(PEOPLE, (_, index) => 1 / (1 + index % 9)));
  const items = makeItems();
  const goods = items.reduce((sum, item) => sum + item.quantity * item.unit_cents, 0);
  const order: Order = {
    id: "",
    ordered_at: new Date(at).toISOString().replace(".000", ""),
    status: chance(0.7) ? "shipped" : "paid",
    customer,
    items,
    shipping_cents: goods >= 5000 ? 0 : customer.country === "DE" ? 490 : 990,
    discount_cents: chance(0.12) ? Math.round(goods / 10) : 0,
    total_cents: 0,
    refunded_cents: 0,
    payment: pick(["card", "paypal", "invoice", "sepa"] as const, (_, index) => 5 - index),
    note: chance(0.06) ? pick(NOTES, () => 1) : null,
  };
  order.total_cents = totalOf(order);
  if (chance(0.04)) order.status = "cancelled";
  else if (chance(0.06)) {
    order.status = "refunded";
    const [first] = order.items;
    const whole = chance(0.5) || first === undefined || order.items.length === 1;
    order.refunded_cents = whole ? order.total_cents : first.quantity * first.unit_cents;
  }
  return order;
}

/** What really happens in a shop: doubles, slips, and an order that nobody can have meant. */
function spoil(orders: Order[]): Order[] {
  const at = (index: number): Order => {
    const order = orders[index];
    if (order === undefined) throw new Error(`There is no order ${index}`);
    return order;
  };
  const again = (index: number): Order => {
    const twin = structuredClone(at(index));
    twin.ordered_at = new Date(Date.parse(twin.ordered_at) + 41_000).toISOString()
      .replace(".000", "");
    return twin;
  };
  at(23).total_cents += 1000; // typed by hand
  at(187).total_cents -= 270;
  Object.assign(at(71), { status: "refunded", refunded_cents: at(71).total_cents + 4900 });
  at(112).items = [{
    sku: "PAPER-500",
    name: "Paper 90 g, 500 sheets",
    quantity: 250,
    unit_cents: 899,
  }];
  Object.assign(at(112), {
    shipping_cents: 0,
    discount_cents: 0,
    status: "paid",
    refunded_cents: 0,
  });
  at(112).total_cents = totalOf(at(112));
  at(140).customer.country = null;
  at(251).customer.country = null;
  at(205).discount_cents += at(205).total_cents; // a voucher paid for it all
  Object.assign(at(205), { total_cents: 0, refunded_cents: 0, status: "shipped" });
  for (const index of [40, 166]) {
    Object.assign(at(index), { status: "paid", refunded_cents: 0 });
    orders.push(again(index));
  }
  return orders;
}

const times = Array.from(
  { length: ORDERS },
  () => FROM + (between(0, DAYS) * 86_400 + between(6 * 3600, 22 * 3600)) * 1000,
);
const orders = spoil(times.sort((a, b) => a - b).map(makeOrder))
  .sort((a, b) => a.ordered_at < b.ordered_at ? -1 : 1);
orders.forEach((order, index) => order.id = `MR-${20_001 + index}`);
// One order per line: a change is one line of a diff.
await Deno.writeTextFile(
  FILE,
  `[\n${orders.map((order) => JSON.stringify(order)).join(",\n")}\n]\n`,
);
