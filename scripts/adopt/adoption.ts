import { createWriteStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { JSONValue, Sql, TransactionSql } from "postgres";
import { connect } from "../connect.ts";
import { namesMade, namesTaken, readBook } from "../deploy/book.ts";
import { makeBundle } from "../deploy/bundle.ts";
import type { Options } from "./options.ts";
import { Progress } from "./progress.ts";
import { isReady, type Proof, type Report } from "./report.ts";

/** What a run came to. */
export interface Outcome {
  /** Missing where an earlier run had moved the old table already. */
  readonly report?: Report;
  /** Missing where nothing was applied. */
  readonly proof?: Proof;
}

const FOLDER = new URL("../../supabase/adopt/", import.meta.url);
/** As statements: a pooler drops what is asked for when a connection starts. */
const SETTINGS = `
  set application_name = 'npm run adopt';
  set time zone 'UTC';
  set statement_timeout = 0;
  set lock_timeout = '20s';
  -- A policy that hides rows from us is an error, not a row lost.
  set row_security = off`;

/** Ends a dry run, so that its transaction leaves nothing. */
class NothingChanged extends Error {}

/** The adoption of one database, over one connection. */
export class Adoption {
  private readonly sql: Sql;

  constructor(
    private readonly options: Options,
    private readonly say: (line: string) => void,
  ) {
    this.sql = connect(options.databaseUrl, {
      types: {
        bigint: { to: 20, from: [20], serialize: String, parse: Number },
      },
    });
  }

  /** Reports; with --apply moves, imports and proves, from wherever an earlier run ended. */
  async run(): Promise<Outcome> {
    await this.lockOutOthers();
    let report: Report | undefined;
    if (!await this.hasBegun()) {
      report = await this.plan();
      if (!this.options.apply || !isReady(report)) return { report };
    } else if (!this.options.apply && !await this.isFinished()) {
      throw new Error("An adoption has begun: go on with --apply.");
    } else if (await this.isFinished()) {
      this.say("This database was adopted already, nothing to do.");
      return { proof: await this.storedProof() };
    } else {
      this.say("Going on, with what was decided when it began …");
    }
    await this.importRows();
    return { report, proof: await this.prove() };
  }

  async end(): Promise<void> {
    await this.sql.end({ timeout: 5 });
  }

  /** Waits for a killed run's last batch, which the server may still be at. */
  private async lockOutOthers(): Promise<void> {
    await this.sql.unsafe(SETTINGS);
    try {
      await this
        .sql`select pg_advisory_lock(hashtextextended('atomic-credits-adopt', 0))`;
    } catch {
      throw new Error("Another npm run adopt is at work on this database.");
    }
  }

  private async hasBegun(): Promise<boolean> {
    const [{ begun }] = await this.sql<
      [{ begun: boolean }]
    >`select to_regclass('adopted.adoption') is not null as begun`;
    return begun;
  }

  private async isFinished(): Promise<boolean> {
    const [{ finished }] = await this.sql<
      [{ finished: boolean }]
    >`select finished_at is not null as finished from adopted.adoption`;
    return finished;
  }

  private async storedProof(): Promise<Proof> {
    const [{ proof }] = await this.sql<
      [{ proof: Proof }]
    >`select proof from adopted.adoption`;
    return proof;
  }

  /** Plans in one transaction, which stands only when --apply was given and nothing is left to decide. */
  private async plan(): Promise<Report> {
    const bundle = await makeBundle(process.cwd());
    let report: Report | undefined;
    try {
      await this.sql.begin(this.isolation(), async (tx) => {
        report = await this.planIn(tx);
        if (!this.options.apply || !isReady(report)) throw new NothingChanged();
        this.say("Moving the old table, and applying the migrations …");
        await tx`select adopted.take_over()`;
        await tx.unsafe(bundle);
        await tx`select adopted.leave_view()`;
      });
      // By itself: pg_cron does not notice jobs that come with a transaction as large as the migrations.
      await this.sql`select public.apply_schedule()`;
    } catch (error) {
      if (!(error instanceof NothingChanged)) throw error;
    }
    return report!;
  }

  /** With the old tables locked each statement must see what came before the lock; without, all must see the same. */
  private isolation(): string {
    return `isolation level ${
      this.options.apply ? "read committed" : "repeatable read"
    }`;
  }

  private async planIn(tx: TransactionSql): Promise<Report> {
    const { source, decisions, apply, sample, batchRows } = this.options;
    for (const file of (await readdir(FOLDER)).sort()) {
      await tx.unsafe(await readFile(new URL(file, FOLDER), "utf8"));
    }
    const known = { ...source, ...await this.balancesThere(tx) };
    this.say(`Reading ${source.ledger} …`);
    await tx`select adopted.begin(${tx.json(known)}, ${
      tx.json(decisions as JSONValue)
    })`;
    if (apply) await tx`select adopted.lock_source()`;
    await tx`select adopted.plan(${batchRows})`;
    const [{ report }] = await tx<
      [{ report: Report }]
    >`select adopted.report(${sample}, ${await namesInUse(tx)}) as report`;
    await this.writeList(tx);
    return report;
  }

  /** The default table of balances need not exist. */
  private async balancesThere(tx: TransactionSql) {
    const { source: { balances, balances_credits }, balancesGiven } =
      this.options;
    if (balancesGiven || !balances) return {};
    const [{ there }] = await tx<
      [{ there: boolean }]
    >`select exists (select from pg_attribute where attrelid = to_regclass(${balances}) and attname = ${balances_credits}) as there`;
    return there ? {} : { balances: null, balances_credits: null };
  }

  private async writeList(tx: TransactionSql): Promise<void> {
    if (!this.options.list) return;
    const rows = await tx
      .unsafe(
        "copy (select * from adopted.findings order by class, account_id, old_id) to stdout with (format csv, header)",
      )
      .readable();
    await pipeline(
      Readable.from(rows),
      createWriteStream(this.options.list),
    );
    this.say(`Wrote ${this.options.list}.`);
  }

  private async importRows(): Promise<void> {
    const [{ entries, done }] = await this.sql<
      [{ entries: number; done: number }]
    >`select * from adopted.progress()`;
    this.say(`Importing ${entries - done} entries …`);
    const progress = new Progress(entries, done, this.say);
    for (let written; (written = await this.importBatch()) !== null;) {
      progress.add(written);
    }
  }

  private async importBatch(): Promise<number | null> {
    const [{ written }] = await this.sql<
      [{ written: number | null }]
    >`select adopted.import_batch() as written`;
    return written;
  }

  private async prove(): Promise<Proof> {
    this.say("Comparing every row, reconciling everything …");
    await this.sql.unsafe(
      "analyze public.credit_ledger, public.credit_accounts, public.credit_grants",
    );
    const [{ proof }] = await this.sql<
      [{ proof: Proof }]
    >`select adopted.prove() as proof`;
    return proof;
  }
}

/** What is there under a name that the migrations need, such as "table public.credit_alerts". */
async function namesInUse(tx: TransactionSql): Promise<string[]> {
  const book = (await readBook(process.cwd())).map(({ text }) => text);
  const taken = await tx.unsafe<{ kind: string; name: string }[]>(
    namesTaken(namesMade(book.join("\n"))),
  );
  return taken.map(({ kind, name }) => `${kind} public.${name}`);
}
