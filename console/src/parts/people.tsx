import { useQuery } from "@tanstack/react-query";
import type { Row } from "../data/pages.ts";
import { useData } from "./operator.tsx";

interface Person {
  readonly user_id: string;
  readonly email: string | null;
}

/** A user's mail; their id until it is known, or where they are gone. */
export function Mail({ of }: { of: unknown }) {
  const data = useData();
  const id = typeof of === "string" ? of : "";
  const { data: people } = useQuery({
    queryKey: ["person", id],
    queryFn: () =>
      data.call<Person[]>("operator_people", { p_user_ids: [id] } as Row),
    enabled: id !== "",
    staleTime: Infinity,
  });
  if (!id) return null;
  return (
    <span title={id}>
      {people?.[0]?.email ?? <span className="id">{id}</span>}
    </span>
  );
}
