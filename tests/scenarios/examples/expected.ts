/** What the example workflows must come to, worked out without the engine. */

/** An order of `examples/data/orders.json`. */
export interface Order {
  id: string;
  ordered_at: string;
  status: string;
  customer: { id: string; name: string; country: string | null };
  items: { quantity: number; unit_cents: number }[];
  shipping_cents: number;
  discount_cents: number;
  total_cents: number;
  refunded_cents: number;
}

interface Group {
  orders: number;
  cents: number;
}

/** The result of `orders_report_v1` and the report that it delivers, but for the job's id. */
export function addUp(orders: Order[]) {
  const sold = orders.filter(({ status }) => status !== "cancelled");
  const countries = group(sold, ({ customer }) => customer.country ?? "unknown");
  const by_country = byCents(countries).map(([country, sums]) => ({ country, ...sums }));
  const months = [...group(sold, ({ ordered_at }) => ordered_at.slice(0, 7))].sort();
  const by_month = months.map(([month, sums]) => ({ month, ...sums }));
  const customers = byCents(group(sold, ({ customer }) => customer.name)).slice(0, 3)
    .map(([customer, sums]) => ({ customer, ...sums }));
  const cents = sum(sold.map(netOf));
  const from = sold[0]?.ordered_at.slice(0, 10) ?? null;
  const to = sold.at(-1)?.ordered_at.slice(0, 10) ?? null;
  const odd = oddOnes(orders);
  return {
    report: {
      subject: `Report on ${sold.length} orders`,
      totals: { orders: sold.length, cents, from, to, by_country, by_month },
      customers,
      odd,
    },
    result: {
      headline: `${sold.length} orders from ${from} to ${to}`,
      revenue: `EUR ${money(cents)}`,
      by_country: by_country.map(priced),
      by_month: by_month.map(priced),
      best_customers: customers.map(priced),
      odd_orders: odd,
      owner_called: false,
      delivered: 200,
    },
  };
}

function oddOnes(orders: Order[]) {
  const ids = (isOdd: (order: Order) => boolean) => orders.filter(isOdd).map(({ id }) => id);
  const alike = Map.groupBy(
    orders,
    (order) => [order.customer.id, order.total_cents, order.ordered_at.slice(0, 13)].join(" "),
  );
  return {
    wrong_total: ids((order) => {
      const goods = sum(order.items.map((item) => item.quantity * item.unit_cents));
      return goods + order.shipping_cents - order.discount_cents !== order.total_cents;
    }),
    ordered_twice: [...alike.values()].filter((same) => same.length > 1)
      .map((same) => same.map(({ id }) => id).join(" = ")),
    refunded_too_much: ids((order) => order.refunded_cents > order.total_cents),
    bulk: ids(({ items }) => items.some(({ quantity }) => quantity >= 100)),
    no_country: ids(({ customer }) => customer.country === null),
  };
}

/** The result of `records_profile_v1`. */
export function profile(records: Record<string, unknown>[]) {
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const all = names.map((name) => {
    // What stands in an array is counted one by one.
    const values = records.flatMap((record) => Object.hasOwn(record, name) ? [record[name]] : [])
      .flat();
    const known = values.filter((value) => value !== null);
    const types = [...new Set(known.map((value) => typeof value))];
    return { name, type: types.join(" or ") || "null", values, known };
  });
  const numbers = all.filter(({ type }) => type === "number").map(({ name, known }) => {
    const list = known as number[];
    return {
      name,
      min: Math.min(...list),
      max: Math.max(...list),
      average: round(sum(list) / list.length),
      sum: round(sum(list)),
    };
  });
  const texts = all.filter(({ type }) => type === "string").map(({ name, known }) => ({
    name,
    distinct: new Set(known).size,
    example: String(known[0]).slice(0, 40),
  }));
  return {
    records: records.length,
    columns: all.map(({ name, type, values, known }) => ({
      ...{ name, type, values: values.length, nulls: values.length - known.length },
    })),
    numbers: numbers.length > 0 ? numbers : null,
    texts: texts.length > 0 ? texts : null,
  };
}

function group(orders: Order[], keyOf: (order: Order) => string): Map<string, Group> {
  const groups = [...Map.groupBy(orders, keyOf)];
  return new Map(
    groups.map(([key, some]) => [key, { orders: some.length, cents: sum(some.map(netOf)) }]),
  );
}

function byCents(groups: Map<string, Group>): [string, Group][] {
  return [...groups].sort(([, a], [, b]) => b.cents - a.cents);
}

function priced<Row extends Group>({ cents, ...row }: Row) {
  return { ...row, revenue: money(cents) };
}

function netOf(order: Order): number {
  return order.total_cents - order.refunded_cents;
}

function money(cents: number): string {
  return (cents / 100).toLocaleString("en", { minimumFractionDigits: 2 });
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** To two decimals, halves to the even neighbour, as JSONata rounds. */
function round(number: number): number {
  const scaled = number * 100;
  const floor = Math.floor(scaled);
  if (scaled - floor === 0.5) return (floor % 2 === 0 ? floor : floor + 1) / 100;
  return Math.round(scaled) / 100;
}
