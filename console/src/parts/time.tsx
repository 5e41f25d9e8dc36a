const MOMENT = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "medium",
  timeStyle: "medium",
});

/** A time in the browser's zone; UTC is its title. */
export function Time({ at }: { at: unknown }) {
  if (!at) return <>—</>;
  const date = new Date(String(at));
  if (Number.isNaN(date.valueOf())) return <>{String(at)}</>;
  return (
    <time dateTime={date.toISOString()} title={date.toISOString()}>
      {MOMENT.format(date)}
    </time>
  );
}
