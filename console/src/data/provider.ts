import type { SupabaseClient } from "@supabase/supabase-js";
import type { DataProvider, GetListParams, GetListResult } from "react-admin";
import { behind, idOf, type Row } from "./pages.ts";
import { dataOf } from "./problem.ts";
import { RESOURCES } from "./resources.ts";

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
    { pagination, filter, signal }: GetListParams,
  ): Promise<GetListResult> {
    const { page = 1, perPage = 50 } = pagination ?? {};
    const name = (number: number) =>
      JSON.stringify([resource, filter, perPage, number]);
    if (page > 1 && !before.has(name(page))) {
      const earlier = { page: page - 1, perPage };
      await getList(resource, { pagination: earlier, filter } as GetListParams);
    }
    const { view, order, only = [] } = RESOURCES[resource]!;
    let query = client.from(view).select("*").limit(perPage + 1);
    for (const [column, operator, value] of only) {
      query = query.filter(column, operator, value);
    }
    for (const [column, value] of Object.entries(filter ?? {})) {
      query = query.eq(column, value as string);
    }
    for (const [column, ascending] of order) {
      query = query.order(column, { ascending });
    }
    const last = before.get(name(page));
    if (page > 1 && last) {
      const [column, ascending] = order[0]!;
      // Says nothing more; but by it an index begins at the page.
      query = query.filter(column, ascending ? "gte" : "lte", last[column])
        .or(behind(order, last));
    }
    if (signal) query = query.abortSignal(signal);
    const found = await dataOf<Row[]>(query);
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

function unused(): Promise<never> {
  return Promise.reject(
    new Error("The console reads lists and calls functions."),
  );
}
