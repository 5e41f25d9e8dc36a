import type { Entry } from "@atomic-credits/client";
import { useState } from "react";
import { credits } from "./client.ts";
import { useLoad } from "./use_load.ts";
import { momentOf, numberOf, reasonOf, signed } from "./words.ts";

const FIRST = 8;

/** The ledger in plain words, newest first; read again whenever `changed` is another. */
export function History({ changed }: { changed: string }) {
  const [count, setCount] = useState(FIRST);
  const { rows, error } = useLoad<Entry>(
    (signal) => newest(count + 1, signal),
    `${changed} ${count}`,
  );
  return (
    <section aria-labelledby="history">
      <h2 id="history">History</h2>
      {error && <p role="alert">{error.message}</p>}
      {!rows && !error && <p className="wait" role="status">Loading …</p>}
      {rows?.length === 0 && <p className="empty">Nothing has happened yet.</p>}
      <ol className="history">
        {rows &&
          together(rows.slice(0, count)).map((entry) => (
            <Row key={entry.seq} entry={entry} />
          ))}
      </ol>
      {rows && rows.length > count && (
        <button
          className="plain"
          onClick={() => setCount(count + FIRST)}
        >
          Show earlier
        </button>
      )}
    </section>
  );
}

function Row({ entry }: { entry: Entry }) {
  const { delta, balance_after, created_at } = entry;
  return (
    <li>
      <span className={delta < 0 ? "went" : "came"}>{signed(delta)}</span>
      <span>{reasonOf(entry)}</span>
      <time
        dateTime={created_at}
        title={`then ${numberOf(balance_after)} credits`}
      >
        {momentOf(created_at)}
      </time>
    </li>
  );
}

/** What a generation took of several grants is one row: the ledger has an entry for each. */
function together(entries: Entry[]): Entry[] {
  const rows: Entry[] = [];
  for (const entry of entries) {
    const { job_id, kind, delta } = entry;
    const last = rows.at(-1);
    if (last && job_id && last.job_id === job_id && last.kind === kind) {
      rows.splice(-1, 1, { ...last, delta: last.delta + delta });
    } else {
      rows.push(entry);
    }
  }
  return rows;
}

async function newest(count: number, signal: AbortSignal): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of credits.entries({ pageSize: count, signal })) {
    entries.push(entry);
    if (entries.length === count) break;
  }
  return entries;
}
