/** A line of the checklist, as verify_deployment() words it. */
export interface Check {
  readonly check_name: string;
  readonly ok: boolean;
  /** What was found. */
  readonly detail: string;
  /** What to do about it; null where all is well. */
  readonly remedy: string | null;
}

/** A check that holds. */
export function fine(check_name: string, detail: string): Check {
  return { check_name, ok: true, detail, remedy: null };
}

/** A check that holds when `ok` is true. */
export function check(
  check_name: string,
  ok: boolean,
  detail: string,
  remedy: string,
): Check {
  return { check_name, ok, detail, remedy: ok ? null : remedy };
}

/** Checks as a person reads them: verdict, name, detail; the remedy below. */
export function toText(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ check_name }) => check_name.length));
  const lines = checks.flatMap(({ check_name, ok, detail, remedy }) => [
    `${ok ? "ok    " : "NOT OK"}  ${check_name.padEnd(width)}  ${detail}`,
    ...(remedy ? [`        ${"".padEnd(width)}  → ${remedy}`] : []),
  ]);
  const failed = checks.filter(({ ok }) => !ok).length;
  return [...lines, "", `${checks.length - failed} ok, ${failed} not ok`]
    .join("\n");
}
