/** In which order a list is read: columns whose values together are unique, and never null. */
export type Order = readonly (readonly [column: string, ascending: boolean])[];

export type Row = Readonly<Record<string, unknown>>;

/**
 * PostgREST's filter for the rows behind one, in an order of several columns: `(a, b) > (1, 2)` written as
 * `a > 1 or (a = 1 and b > 2)`, since each column has a direction of its own.
 */
export function behind(order: Order, row: Row): string {
  return order.map(([column, ascending], position) => {
    const same = order.slice(0, position)
      .map(([before]) => `${before}.eq.${quoted(row[before])}`);
    const further = `${column}.${ascending ? "gt" : "lt"}.${
      quoted(row[column])
    }`;
    return same.length ? `and(${[...same, further].join(",")})` : further;
  }).join(",");
}

/** A value as text that holds no separator of PostgREST. */
function quoted(value: unknown): string {
  return `"${String(value).replace(/["\\]/g, "\\$&")}"`;
}

/** Names a row by its key. */
export function idOf(order: Order, row: Row): string {
  return order.map(([column]) => String(row[column])).join(" ");
}
