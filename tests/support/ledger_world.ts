// What the property test believes of the ledger: plain data, so that a copy of it
// can be tried in another order.

/** A plan as the test sets it up. */
interface Plan {
  readonly requests: number;
  readonly windowSeconds: number;
  readonly maxJobs: number;
  readonly freeCancels: number;
  readonly monthly: number;
  readonly rollOver: "none" | "all" | "capped";
  readonly rollOverCap: number;
  readonly refillPriority: number;
  readonly upgradeGives: "nothing" | "difference";
  readonly creditLimit: number;
  readonly models: readonly string[] | null;
}

const UNHURRIED = {
  requests: 1_000_000,
  windowSeconds: 1,
  maxJobs: 10_000,
  freeCancels: 1,
  models: null,
  refillPriority: 90,
  upgradeGives: "difference",
} as const;
/** The plans. Those with a limit have windows of which no test sees the end. */
export const PLANS = {
  all: {
    ...UNHURRIED,
    monthly: 150,
    creditLimit: 300,
    rollOver: "all",
    rollOverCap: 0,
  },
  none: {
    ...UNHURRIED,
    freeCancels: 0,
    monthly: 120,
    creditLimit: 100,
    rollOver: "none",
    rollOverCap: 0,
  },
  capped: {
    ...UNHURRIED,
    monthly: 100,
    creditLimit: 0,
    rollOver: "capped",
    rollOverCap: 130,
    refillPriority: 100,
    upgradeGives: "nothing",
  },
  strict: {
    requests: 4,
    windowSeconds: 86_400,
    maxJobs: 2,
    freeCancels: 0,
    creditLimit: 50,
    monthly: 0,
    rollOver: "none",
    rollOverCap: 0,
    refillPriority: 90,
    upgradeGives: "nothing",
    models: ["cap", "overdraft"],
  },
  slow: {
    requests: 7,
    windowSeconds: 43_200,
    maxJobs: 3,
    freeCancels: 2,
    creditLimit: 0,
    monthly: 0,
    rollOver: "none",
    rollOverCap: 0,
    refillPriority: 90,
    upgradeGives: "nothing",
    models: null,
  },
} satisfies Record<string, Plan>;
/** Name of a plan. */
export type PlanName = keyof typeof PLANS;

/** The model whose provider calls back. */
export const CALLBACK_MODEL = "overdraft";
/** Where a model runs. */
export function providerOf(model: string): string {
  return model === CALLBACK_MODEL ? "replicate" : "placeholder";
}

/** Credits an image, for the models cap and overdraft. */
export const UNIT_PRICE = 7;
/** Most images, and most tokens in tens, of one request. */
export const MAX_N = 100;
/** What a request for tokens reserves when it does not say. */
export const MAX_OUTPUT_TOKENS = 500;
/** Below this a charge announces a low balance. */
export const LOW_BALANCE = 200;
/** Grace of what a failure gives back to an expired grant: later than each month's end, sooner than every other expiry. */
export const GRACE_SECONDS = 31_536_000;
/** Grants that expire so soon are announced. */
export const NOTICE_SECONDS = 3_600;

/** Position of the team's account; the two before it are persons'. */
export const TEAM = 2;

/** Where credits came from. Its position in the account's list stands for its id. */
export interface Grant {
  kind: string;
  amount: number;
  remaining: number;
  breakage: number;
  priority: number;
  /** Microseconds since 1970; Infinity: never. */
  expiry: number;
  expired: boolean;
  /** Credits of it that were taken back in all. */
  reversed: number;
  announced: boolean;
  /** Position of the expired grant whose credits came back in this one. */
  makesGood: number | null;
  /** Credits of it that filled an overdraft, and have not come back. */
  repaid: number;
  /** It is a grace period, or was transferred out of one, and gets no other. */
  hadGrace: boolean;
  /** Whether they are monthly credits that the cap of the account's plan covers. */
  capped: boolean;
  /** Of monthly credits, which of the account's months brought them; null: others. */
  month: number | null;
}

/** A ledger entry; its position + 1 is its seq. */
export interface Entry {
  delta: number;
  balance: number;
  kind: string;
  grant: number | null;
  job: string | null;
}

/** What became of a grant that was taken back. */
export interface Reversal {
  readonly grant: number;
  owed: number;
  readonly taken: { readonly from: number; amount: number; row: number }[];
}

/** A wallet. */
export interface Account {
  plan: PlanName;
  creditLimit: number;
  loweredLimit: number | null;
  balance: number;
  overdraft: number;
  debt: number;
  /** Of each grant that was taken back, the oldest first: what is owed, and what was taken out of which grant, the last last. */
  reversals: Reversal[];
  /** Rows of credit_debts. */
  debtRows: number;
  grants: Grant[];
  entries: Entry[];
  /** Months before this one; null: never refilled. */
  refilledFor: number | null;
  /** The most monthly credits of a plan that the month of refilledFor has brought. */
  refilledCredits: number;
  /** How many months have brought credits. */
  monthsHad: number;
  /** Position of the entry with which the newest of them began. */
  monthBegan: number;
  closed: boolean;
  /** How far the rate limit is used up, in microseconds. */
  rateUsed: number;
  /** Running jobs that were canceled today. */
  cancels: number;
  /** Entries that were verified. */
  verified: number;
  denials: string[];
  events: string[];
}

/** What a charge took from one source: a grant's position, or the overdraft (-1). */
export interface Source {
  grant: number;
  outstanding: number;
}

/** Credits for 1,000 input and output tokens. */
export interface Price {
  input: number;
  output: number;
}

/** A price as set_model_price takes it. */
export function ratesOf({ input, output }: Price) {
  return {
    input_token: { price: input, per: 1000 },
    output_token: { price: output, per: 1000 },
  };
}

/** A generation. */
export interface Job {
  /** Its account and the seq of its first entry, which the database must agree on. */
  id: string;
  account: number;
  member: number | null;
  model: string;
  n: number;
  price: Price;
  key: number | null;
  /** Whose key it is, also after an erasure. */
  keyOf: number | null;
  requestId: number | null;
  status: string;
  /** Whether it was running from its charge on. */
  startedAtOnce: boolean;
  /** Whether its provider's id is known. */
  isNoted: boolean;
  /** Whether its user asked to cancel it while its provider had it. */
  isUnwanted: boolean;
  cost: number;
  refunded: number;
  actualCost: number | null;
  sources: Source[];
  refundKeys: string[];
  /** When its deadline passed, in microseconds since 1970; 0: it has not. */
  overdue: number;
  late: boolean;
  erased: boolean;
  /** How many months ago it was charged. */
  monthsAgo: number;
}

/** A user in the team. */
export interface Member {
  role: string;
  cap: number | null;
  spent: number;
  /** Who joined before has a lower number. */
  joined: number;
}

/** Everything. */
export interface World {
  accounts: Account[];
  jobs: Job[];
  /** The team's members by user: 0 and 1 have the accounts 0 and 1. */
  members: (Member | null)[];
  /** What each external_ref of a grant stands for. */
  grantRefs: Record<number, { account: number; grant: number }>;
  transferRefs: Record<number, string>;
  price: Price;
}

/** Two persons, and a team of the first, the second and a third who only looks. */
export function newWorld(): World {
  return {
    accounts: [newAccount("all"), newAccount("none"), newAccount("capped")],
    jobs: [],
    members: [
      { role: "owner", cap: null, spent: 0, joined: 0 },
      { role: "member", cap: 150, spent: 0, joined: 1 },
      { role: "viewer", cap: null, spent: 0, joined: 2 },
    ],
    grantRefs: {},
    transferRefs: {},
    price: { input: 300, output: 400 },
  };
}

function newAccount(plan: PlanName): Account {
  return {
    plan,
    creditLimit: PLANS[plan].creditLimit,
    loweredLimit: null,
    balance: 0,
    overdraft: 0,
    debt: 0,
    reversals: [],
    debtRows: 0,
    grants: [],
    entries: [],
    refilledFor: null,
    refilledCredits: 0,
    monthsHad: 0,
    monthBegan: 0,
    closed: false,
    rateUsed: 0,
    cancels: 0,
    verified: 0,
    denials: [],
    events: [],
  };
}

/** Whether a job has not ended. */
export function isOpen({ status }: Job): boolean {
  return status === "pending" || status === "running";
}
