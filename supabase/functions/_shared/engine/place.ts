/** Where in a definition something stands, as users read it: `steps.charge.input_map.amount`. */
export type Place = string;

const PLAIN_KEY = /^[A-Za-z_$][A-Za-z0-9_$-]*$/;

/** The place of a key or an index within a place; `""` is the whole. */
export function within(place: Place, key: PropertyKey): Place {
  if (typeof key === "number") return `${place}[${key}]`;
  const name = String(key);
  if (!PLAIN_KEY.test(name)) return `${place}[${JSON.stringify(name)}]`;
  return place === "" ? name : `${place}.${name}`;
}

/** The place that a list of keys leads to. */
export function placeOf(keys: readonly PropertyKey[]): Place {
  return keys.reduce<Place>(within, "");
}
