import { useQuery } from "@tanstack/react-query";
import { useDataProvider, useGetList } from "react-admin";
import type { Data } from "../data/provider.ts";

export const ROLES = ["viewer", "support", "finance", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** The signed-in operator, as SQL knows them now. */
export interface Operator {
  readonly user_id: string;
  readonly role: Role;
  readonly aal: string;
  readonly max_per_action: number | null;
  readonly max_per_day: number | null;
  readonly used_today: number;
}

/** Who is signed in; `operator` is null for somebody who is no operator. */
export function useOperator() {
  const { data, error, isPending, refetch } = useGetList("me", {
    pagination: { page: 1, perPage: 1 },
  });
  const operator = data ? (data[0] as unknown as Operator) ?? null : undefined;
  return { operator, error, isPending, refetch };
}

/** Whether the operator's role may call a function. SQL says it, and asks again when it is called. */
export function useMay(name: string): boolean {
  const { data } = useCall<Ability[]>("operator_abilities", {});
  return data?.some(({ action, allowed }) =>
    allowed && name === `operator_${action}`
  ) ?? false;
}

interface Ability {
  readonly action: string;
  readonly allowed: boolean;
}

export function useData(): Data {
  return useDataProvider<Data>();
}

/** What a function of SQL reads. */
export function useCall<T>(name: string, args: Record<string, unknown>) {
  const data = useData();
  return useQuery({
    queryKey: ["call", name, args],
    queryFn: () => data.call<T>(name, args),
  });
}
