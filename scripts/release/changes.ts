import { dropOf, mentions, rowsOf, type Statement } from "./statements.ts";

/** What leads from one book to another, beside what is written by hand. */
export interface Changes {
  /** Drops what goes, and what is made again. */
  readonly drops: readonly string[];
  /** New types, which tables may need. */
  readonly types: readonly string[];
  /** Everything else that is new or changed, in the order of the book. */
  readonly creates: readonly string[];
  /** Drops types that nothing uses any more. */
  readonly ends: readonly string[];
  /** Tables that were there and are locked. */
  readonly locks: readonly string[];
  /** What only a person can write, such as an `alter table`. */
  readonly byHand: readonly string[];
}

/** Those that are replaced whole. */
const WHOLE = ["function", "view", "trigger", "policy", "rule", "index"];
/** Blocks that may run at any time, and whose effect may change without their text. */
const REPEATABLE = /^do \$\$\s*begin\s+execute format\('comment on /;
/** In the order of a movement of credits, so that no traffic deadlocks with it. */
const FIRST_LOCKED = [
  "public.credit_accounts",
  "public.generation_jobs",
  "public.credit_grants",
];

/**
 * Compares two books.
 *
 * @param hand what is written by hand: tables and types that it changes are seen as changed
 */
export function compareBooks(
  before: readonly Statement[],
  after: readonly Statement[],
  hand: string,
): Changes {
  return new Comparison(before, after, hand).changes();
}

class Comparison {
  readonly #old: ReadonlyMap<string, Statement>;
  readonly #new: ReadonlyMap<string, Statement>;
  /** Objects that are dropped; those that are in the new book too are made again. */
  readonly #dropped = new Set<string>();
  readonly #oldChapters: ReadonlySet<string>;

  constructor(
    readonly before: readonly Statement[],
    readonly after: readonly Statement[],
    readonly hand: string,
  ) {
    this.#old = new Map(before.map((one) => [one.key, one]));
    this.#new = new Map(after.map((one) => [one.key, one]));
    this.#oldChapters = new Set(before.map(({ chapter }) => chapter));
    this.#findDropped();
  }

  changes(): Changes {
    const types = this.after.filter((one) => this.#isEarlyType(one));
    const creates = this.after.filter((one) => !types.includes(one))
      .flatMap((one) => this.#statement(one));
    const drops = this.before.filter(({ key }) => this.#dropped.has(key))
      .map(dropOf).reverse();
    return {
      drops,
      types: types.map(textOf),
      creates: [...creates, ...this.#commentsGone()],
      ends: this.before.filter((one) =>
        one.kind === "type" && !this.#new.has(one.key) &&
        !this.#isByHand("drop type", one.name)
      ).map(({ name }) => `drop type ${name};`).reverse(),
      locks: this.#locks(),
      byHand: this.#byHand(),
    };
  }

  /** What is gone or made again, until nothing more hangs on it. */
  #findDropped(): void {
    for (const one of this.before) {
      if (!WHOLE.includes(one.kind)) continue;
      const next = this.#new.get(one.key);
      const stays = one.kind === "function"
        ? next && headOf(next) === headOf(one)
        : next?.text === one.text;
      if (!stays) this.#dropped.add(one.key);
    }
    for (let size = -1; size !== this.#dropped.size;) {
      size = this.#dropped.size;
      const gone = this.#namesOf((one) => this.#dropped.has(one.key));
      const touched = this.#touched();
      for (const one of this.before) {
        if (
          one.kind === "view" && mentions(one.text, touched) ||
          one.kind === "function" && mentions(headOf(one), gone) ||
          ["policy", "rule", "trigger"].includes(one.kind) &&
            mentions(one.text, gone)
        ) this.#dropped.add(one.key);
      }
    }
  }

  /** Names whose rows look otherwise now: tables, types, functions that answer with them, and what is dropped. */
  #touched(): Set<string> {
    const touched = this.#namesOf((one) =>
      this.#dropped.has(one.key) ||
      ["table", "type"].includes(one.kind) &&
        (this.#new.get(one.key)?.text !== one.text ||
          this.#isByHand(`(?:alter|drop) ${one.kind}`, one.name))
    );
    for (let size = -1; size !== touched.size;) {
      size = touched.size;
      for (const one of this.before) {
        if (one.kind === "function" && mentions(headOf(one), touched)) {
          touched.add(one.name);
        }
      }
    }
    return touched;
  }

  #namesOf(isMeant: (one: Statement) => boolean): Set<string> {
    return new Set(
      this.before.filter((one) =>
        ["function", "view", "table", "type"].includes(one.kind) &&
        isMeant(one)
      ).map(({ name }) => name),
    );
  }

  /** The statement as it is run, if it has to be. */
  #statement(one: Statement): string[] {
    const old = this.#old.get(one.key);
    const isNew = !old || this.#dropped.has(one.key);
    switch (one.kind) {
      case "function":
        if (isNew) return [textOf(one)];
        return old.text === one.text ? [] : [
          one.above +
          one.text.replace(/^create function/, "create or replace function"),
        ];
      case "comment":
        return old?.text === one.text && !this.#isMadeAgain(one.name)
          ? []
          : [textOf(one)];
      case "type":
      case "table":
        return old ? [] : [textOf(one)];
      case "alter table":
        return isNew || this.#enablesDropped(one) ? [textOf(one)] : [];
      case "insert":
        return isNew ? this.#insert(one) : [];
      case "do":
        return REPEATABLE.test(one.text) || isNew && this.#isNewChapter(one)
          ? [textOf(one)]
          : [];
      default:
        return isNew ? [textOf(one)] : [];
    }
  }

  /** Of a table that was there, the rows that are new; those that an operator changed stay. */
  #insert(one: Statement): string[] {
    if (!this.#old.has(`table ${one.name}`)) return [textOf(one)];
    const read = rowsOf(one.text);
    if (!read) return [];
    const known = new Set(
      this.before.filter(({ kind, name }) =>
        kind === "insert" && name === one.name
      )
        .flatMap(({ text }) => rowsOf(text)?.rows ?? []),
    );
    const rows = read.rows.filter((row) => !known.has(row));
    return rows.length === 0 ? [] : [
      `${one.above}${read.head}${rows.join(",\n")}\non conflict do nothing;`,
    ];
  }

  /** A type that no new table is part of. */
  #isEarlyType(one: Statement): boolean {
    return one.kind === "type" && !this.#old.has(one.key) &&
      !this.after.some((table) =>
        table.kind === "table" && !this.#old.has(table.key) &&
        mentions(one.text, new Set([table.name]))
      );
  }

  /** Whether a comment's object is dropped and made again: "function public.x", "trigger a on public.b". */
  #isMadeAgain(object: string): boolean {
    const column = /^column (.+)\.\w+$/.exec(object);
    return this.#dropped.has(column ? `view ${column[1]}` : object);
  }

  /** `alter table … enable always trigger …`, of a trigger that is made again. */
  #enablesDropped({ text, name }: Statement): boolean {
    const trigger = / trigger (\w+);$/.exec(text)?.[1];
    return trigger !== undefined &&
      this.#dropped.has(`trigger ${trigger} on ${name}`);
  }

  #isNewChapter({ chapter }: Statement): boolean {
    return !this.#oldChapters.has(chapter);
  }

  #isByHand(verb: string, name: string): boolean {
    return RegExp(
      `\\b${verb} (?:if exists |only )*${
        name.replaceAll(".", "\\.")
      }(?![\\w.])`,
      "i",
    ).test(this.hand);
  }

  /** Comments that the new book has no more, on what it still has. A column may be gone, so its comment is by hand. */
  #commentsGone(): string[] {
    return this.before.filter(({ kind, key, name }) =>
      kind === "comment" && !this.#new.has(key) && this.#new.has(name) &&
      !this.#dropped.has(name)
    ).map(({ text }) =>
      `${/^comment on [^]*?\s+is(?=\s)/.exec(text)![0]} null;`
    );
  }

  /** Tables whose triggers, policies or columns change, that a new table refers to, or that are written by hand. */
  #locks(): string[] {
    const made = this.after.filter((one) => this.#statement(one).length > 0);
    const changed = this.before.filter(({ key }) => this.#dropped.has(key))
      .concat(made)
      .flatMap(({ kind, name, table, text }) =>
        kind === "alter table"
          ? [name]
          : kind === "table"
          ? Array.from(text.matchAll(/\breferences ([\w.]+)/g), ([, to]) => to!)
          : table
          ? [table]
          : []
      );
    const locks = this.before.filter(({ kind, name }) =>
      kind === "table" &&
      (changed.includes(name) || mentions(this.hand, new Set([name])))
    ).map(({ name }) => name).sort();
    return [
      ...FIRST_LOCKED.filter((name) => locks.includes(name)),
      ...locks.filter((name) => !FIRST_LOCKED.includes(name)),
    ];
  }

  #byHand(): string[] {
    const list: string[] = [];
    for (const one of this.before) {
      const next = this.#new.get(one.key);
      if (next?.text === one.text) continue;
      if (
        one.kind === "table" &&
        !this.#isByHand("(?:alter|drop) table", one.name)
      ) {
        list.push(`table ${one.name} is ${next ? "changed" : "gone"}`);
      }
      if (
        one.kind === "type" && next && !this.#isByHand("alter type", one.name)
      ) {
        list.push(`type ${one.name} is changed`);
      }
      if (one.kind === "alter table" && this.#new.has(`table ${one.name}`)) {
        list.push(`this is gone: ${firstLine(one)}`);
      }
      if (one.kind === "insert" && !rowsOf(one.text)) {
        list.push(`rows of ${one.name} are changed`);
      }
    }
    for (const one of this.after) {
      if (this.#old.has(one.key) || this.#statement(one).length > 0) continue;
      if (one.kind === "do") {
        list.push(
          `a block of ${one.chapter} is changed (repair_deployment makes the triggers and policies of it)`,
        );
      }
    }
    return list;
  }
}

function headOf({ text }: Statement): string {
  return text.split(/\nlanguage /)[0]!;
}

function textOf({ above, text }: Statement): string {
  return above + text;
}

function firstLine({ text }: Statement): string {
  return text.split("\n")[0]!;
}
