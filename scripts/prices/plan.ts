import { type Decimal, multiply, roundUp, toNumber } from "./decimal.ts";
import type { Meter, OfferedModel } from "./source.ts";

/** A model of the price book, by the version in force. */
export interface BookModel {
  readonly name: string;
  readonly provider: string;
  readonly providerModel: string;
  /** Credits for 1,000,000 of each meter that is priced by the unit of a token. */
  readonly credits: Readonly<Record<string, number>>;
}

/** What is to be sold, under which name and at which price. */
export interface PlannedModel {
  readonly name: string;
  readonly source: string;
  readonly offered?: OfferedModel;
  /** The same model in the price book. */
  readonly book?: BookModel;
  readonly credits: Readonly<Partial<Record<Meter, number>>>;
  readonly refusal?: string;
}

/** How dollars become credits. */
export interface Pricing {
  readonly creditsPerUsd: Decimal;
  readonly markup: Decimal;
}

// Digits after the point of the credits for 1,000,000 tokens: few enough that a number of JSON holds them.
const DIGITS = 6;

/**
 * Decides what a list of prices changes.
 *
 * @param asked "source" or "source=name"; none: the models that the price book has already
 */
export function plan(
  list: ReadonlyMap<string, OfferedModel>,
  book: readonly BookModel[],
  pricing: Pricing,
  asked: readonly string[],
): PlannedModel[] {
  const wanted = asked.length > 0 ? asked.map(readName) : known(list, book);
  return wanted.map(({ source, name }) => {
    const offered = list.get(source);
    const refusal = offered
      ? offered.refusal ?? nameRefusal(name)
      : "the list does not have it";
    return {
      name,
      source,
      credits: offered && !refusal ? priced(offered, pricing) : {},
      ...offered && { offered },
      ...findBook(book, name),
      ...refusal && { refusal },
    };
  });
}

function findBook(book: readonly BookModel[], name: string) {
  const found = book.find((model) => model.name === name);
  return found ? { book: found } : {};
}

/** Whether a plan changes a price. */
export function isChange({ book, credits, refusal }: PlannedModel): boolean {
  if (refusal) return false;
  const now = Object.entries(book?.credits ?? {});
  const then = Object.entries(credits);
  return now.length !== then.length ||
    then.some(([meter, price]) => book?.credits[meter] !== price);
}

function readName(asked: string): { source: string; name: string } {
  const [source = "", name] = asked.split("=");
  const own = source.split("/").at(-1)!.toLowerCase();
  return { source, name: name ?? own.replace(/[^a-z0-9_.-]/g, "-") };
}

function known(
  list: ReadonlyMap<string, OfferedModel>,
  book: readonly BookModel[],
) {
  return book.flatMap(({ name, provider, providerModel }) => {
    const found = [...list].find(([, offered]) =>
      offered.provider === provider && offered.providerModel === providerModel
    );
    return found ? [{ source: found[0], name }] : [];
  });
}

function nameRefusal(name: string): string | undefined {
  return /^[a-z0-9][a-z0-9_.-]{0,62}$/.test(name)
    ? undefined
    : `${name} is no name of a model: pass another, --models source=name`;
}

function priced({ usd }: OfferedModel, { creditsPerUsd, markup }: Pricing) {
  return Object.fromEntries(
    Object.entries(usd).map(([meter, dollars]) => [
      meter,
      toNumber(roundUp(multiply(dollars, creditsPerUsd, markup), DIGITS)),
    ]),
  );
}
