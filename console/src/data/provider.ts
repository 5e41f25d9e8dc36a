import type { SupabaseClient } from "@supabase/supabase-js";
import type { DataProvider, GetListParams, GetListResult } from "react-admin";
import { behind, idOf, type Row } from "./pages.ts";
import { dataOf } from "./problem.ts";
import { type PageList, RESOURCES, type ViewList } from "./resources.ts";

/** react-admin's, and functions of SQL beside it. */
export interface Data extends DataProvider {
  /** Calls a function of SQL. */
  call<T>(name: string, args?: Row): Promise<T>;
}

/**
 * Reads the operators' views. A page begins behind the last row of the page before: no offset, and no count of all
 * rows. What writes is a function of SQL, so there is no create, update or delete.
 */
export function dataProvider(client: SupabaseClient): Data {
  /** The row before each page that has been asked for. */
  const before = new Map<string, Row>();

  async function getList(
    resource: string,
    { pagination, filter = {}, signal }: GetListParams,
  ): Promise<GetListResult> {
    const { page = 1, perPage = 50 } = pagination ?? {};
    const name = (number: number) =>
      JSON.stringify([resource, filter, perPage, number]);
    if (page > 1 && !before.has(name(page))) {
      const earlier = { page: page - 1, perPage };
      await getList(resource, { pagination: earlier, filter } as GetListParams);
    }
    const list = RESOURCES[resource]!;
    const { order } = list;
    const last = page > 1 ? before.get(name(page)) : undefined;
    const asked = "call" in list
      ? callPage(client, list, filter, last, perPage + 1)
      : readView(client, list, filter, last, perPage + 1);
    const found = await dataOf<Row[]>(
      signal ? asked.abortSignal(signal) : asked,
    );
    const data = found.slice(0, perPage)
      .map((row) => ({ ...row, id: idOf(order, row) }));
    const hasNextPage = found.length > perPage;
    if (hasNextPage) before.set(name(page + 1), found[perPage - 1]!);
    return { data, pageInfo: { hasNextPage, hasPreviousPage: page > 1 } };
  }

  return {
    getList: getList as DataProvider["getList"],
    call: (name, args = {}) => dataOf(client.rpc(name, args)),
    getOne: unused,
    getMany: unused,
    getManyReference: unused,
    create: unused,
    update: unused,
    updateMany: unused,
    delete: unused,
    deleteMany: unused,
  };
}

/** A page of a list that a function hands out. */
function callPage(
  client: SupabaseClient,
  { call, after, filters, args }: PageList,
  filter: Row,
  last: Row | undefined,
  limit: number,
) {
  const given = (columns: Readonly<Record<string, string>>, row: Row) =>
    Object.fromEntries(
      Object.entries(columns).map(([name, column]) => [name, row[column]]),
    );
  return client.rpc(call, {
    ...args,
    ...given(filters, filter),
    ...(last && given(after, last)),
    p_limit: limit,
  });
}

/** A page of a list that a view has. */
function readView(
  client: SupabaseClient,
  { view, order, only = [] }: ViewList,
  filter: Row,
  last: Row | undefined,
  limit: number,
) {
  let query = client.from(view).select("*").limit(limit);
  for (const [column, operator, value] of only) {
    query = query.filter(column, operator, value);
  }
  for (const [column, value] of Object.entries(filter)) {
    query = query.eq(column, value as string);
  }
  for (const [column, ascending] of order) {
    query = query.order(column, { ascending });
  }
  if (last) {
    const [column, ascending] = order[0]!;
    // Says nothing more; but by it an index begins at the page.
    query = query.filter(column, ascending ? "gte" : "lte", last[column])
      .or(behind(order, last));
  }
  return query;
}

function unused(): Promise<never> {
  return Promise.reject(
    new Error("The console reads lists and calls functions."),
  );
}
