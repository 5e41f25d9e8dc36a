// The ledger as a few numbers in memory: what every operation must do, written
// without looking at the SQL. The property test holds the two against each other.

/** A grant of the model; positions in an account's list stand for ids. */
interface Grant {
  amount: number;
  remaining: number;
  priority: number;
  /** Rank of its expiry, sooner first; Infinity: never. */
  expiry: number;
  expired: boolean;
  lapsed: number;
  revoked: boolean;
  /** The expired grant whose credits came back in this one. */
  makesGood?: number;
}

/** What a charge took from one source: a grant's position, or the overdraft (-1). */
interface Source {
  grant: number;
  outstanding: number;
}

/** A job of the model. */
export interface ModelJob {
  account: number;
  status: "pending" | "succeeded" | "failed" | "canceled";
  cost: number;
  refunded: number;
  sources: Source[];
  partialRefunds: Set<string>;
}

/** A wallet of the model. */
export class ModelAccount {
  readonly grants: Grant[] = [];
  overdraft = 0;
  debt = 0;
  private refilled = false;

  constructor(readonly creditLimit: number) {}

  get remaining(): number {
    return this.grants.reduce((sum, { remaining }) => sum + remaining, 0);
  }

  get balance(): number {
    return this.remaining - this.overdraft;
  }

  /** Grants that can be spent, in burning order. */
  private spendable(): [number, Grant][] {
    return [...this.grants.entries()]
      .filter(([, grant]) => grant.remaining > 0 && !grant.expired)
      .sort(([i, a], [j, b]) =>
        a.priority - b.priority || order(a.expiry, b.expiry) || i - j
      );
  }

  /** Credits come in: overdraft first, then the grant, and debt out of it. */
  fill(position: number, amount: number): void {
    const repaid = Math.min(this.overdraft, amount);
    this.overdraft -= repaid;
    if (repaid === amount) return;
    const grant = this.grants[position]!;
    grant.remaining += amount - repaid;
    this.collect(grant);
  }

  private collect(grant: Grant): void {
    const collected = Math.min(this.debt, grant.remaining);
    grant.remaining -= collected;
    this.debt -= collected;
  }

  grant(amount: number, priority: number, expiry: number): void {
    this.grants.push({
      ...{ amount, remaining: 0, priority, expiry },
      ...{ expired: false, lapsed: 0, revoked: false },
    });
    this.fill(this.grants.length - 1, amount);
  }

  /** Monthly credits come once a month, however often they are asked for. */
  refill(amount: number): void {
    if (this.refilled) return;
    this.refilled = true;
    this.grant(amount, 100, Infinity);
  }

  /** Whether charges of these costs could all be paid. */
  affords(costs: readonly number[]): boolean {
    return costs.reduce((sum, cost) => sum + cost, 0) <= this.room();
  }

  /** All that a charge could take: what can be spent, and the overdraft. */
  private room(): number {
    const spendable = this.spendable()
      .reduce((sum, [, { remaining }]) => sum + remaining, 0);
    return spendable + this.creditLimit - this.overdraft;
  }

  /** Takes an amount in burning order, then out of the overdraft; undefined when it does not suffice. */
  burn(amount: number, overdraftAllowed: boolean): Source[] | undefined {
    const sources: Source[] = [];
    let left = amount;
    for (const [position, grant] of this.spendable()) {
      if (left === 0) break;
      const part = Math.min(grant.remaining, left);
      sources.push({ grant: position, outstanding: part });
      left -= part;
    }
    const room = overdraftAllowed ? this.creditLimit - this.overdraft : 0;
    if (left > room) return undefined;
    for (const { grant, outstanding } of sources) {
      this.grants[grant]!.remaining -= outstanding;
    }
    if (left > 0) sources.push({ grant: -1, outstanding: left });
    this.overdraft += left;
    return sources;
  }

  /** Charges a job more, as far as credits and overdraft go; returns how much. */
  overrun(job: ModelJob, wanted: number): number {
    const extra = Math.min(wanted, this.room());
    for (const source of this.burn(extra, true)!) {
      const earlier = job.sources.findIndex(({ grant }) =>
        grant === source.grant
      );
      const [again] = earlier < 0 ? [] : job.sources.splice(earlier, 1);
      source.outstanding += again?.outstanding ?? 0;
      job.sources.push(source);
    }
    job.cost += extra;
    return extra;
  }

  /** Gives back to where it came from, last consumed first. */
  refund(job: ModelJob, amount: number): void {
    let left = amount;
    for (const source of [...job.sources].reverse()) {
      const part = Math.min(source.outstanding, left);
      left -= part;
      source.outstanding -= part;
      this.giveBack(source.grant, part);
    }
    job.refunded += amount;
  }

  private giveBack(source: number, amount: number): void {
    const repaid = Math.min(this.overdraft, amount);
    this.overdraft -= repaid;
    const rest = amount - repaid;
    if (rest === 0) return;
    const home = this.grants[source];
    if (home && !home.expired) return this.fill(source, rest);
    // Beyond its expiry: a new grant, with a grace period; from the overdraft: one for good.
    this.grant(rest, 100, home ? GRACE_RANK : Infinity);
    if (home) this.grants.at(-1)!.makesGood = source;
  }

  revoke(position: number): void {
    const grant = this.grants[position]!;
    if (grant.revoked) return;
    grant.revoked = true;
    this.debt += grant.amount - grant.remaining - grant.lapsed;
    grant.remaining = 0;
    this.grants.filter(({ makesGood }) => makesGood === position)
      .forEach((other) => this.collect(other));
  }

  expire(position: number): void {
    const grant = this.grants[position]!;
    grant.expired = true;
    grant.lapsed += grant.remaining;
    grant.remaining = 0;
  }

  /** Moves credits; false when they do not suffice or debt has to be paid first. */
  transfer(to: ModelAccount, amount: number): boolean {
    if (this.debt > 0) return false;
    const pieces = this.burn(amount, false);
    if (!pieces) return false;
    for (const { grant, outstanding } of pieces) {
      const { priority, expiry } = this.grants[grant]!;
      to.grant(outstanding, priority, expiry);
    }
    return true;
  }
}

/** Rank of a refund's grace period among the expiries that the test hands out. */
export const GRACE_RANK = 1;

function order(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
