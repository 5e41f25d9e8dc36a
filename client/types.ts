/** What every generation has. */
interface AnyGeneration {
  /** What to make, or the text to speak. */
  prompt: string;
  /** Name in the price book; the standard model of the type if left out. */
  model?: string;
  /** The most credits that it may cost; above it nothing is charged (`price_changed`). */
  max_cost?: number;
  /** How outputs are answered: by a signed address (default), or small pictures in base64. */
  response_format?: "url" | "base64";
}

/** Pictures; the type of a request that names none. */
export interface ImageRequest extends AnyGeneration {
  type?: "image";
  width?: number;
  height?: number;
  /** How many, 1 if left out. */
  n?: number;
  seed?: number;
}

/** A video. */
export interface VideoRequest extends AnyGeneration {
  type: "video";
  seconds?: number;
  width?: number;
  height?: number;
  aspect_ratio?: "16:9" | "9:16" | "1:1" | "4:3" | "3:4" | "21:9";
  /** The first frame: the path of an output or of an upload. */
  image?: string;
  seed?: number;
}

/** Speech. */
export interface SpeechRequest extends AnyGeneration {
  type: "speech";
  voice?: string;
  format?: "wav" | "mp3" | "opus" | "flac" | "aac";
}

/** What to generate. */
export type GenerationRequest = ImageRequest | VideoRequest | SpeechRequest;

/** What a generation is to cost; its prompt may not be written yet, except of speech. */
export type QuoteRequest =
  | Omit<ImageRequest, "prompt"> & { prompt?: string }
  | Omit<VideoRequest, "prompt"> & { prompt?: string }
  | SpeechRequest;

/** What a generation would cost now. */
export interface Quote {
  model: string;
  cost: number;
}

/** A file that a generation made. */
export interface Output {
  /** Where it is in the bucket `generations`. */
  path: string;
  media_type: string;
  bytes: number;
  width?: number;
  height?: number;
  seconds?: number;
  /** Shows the file to everybody who has this address, until `url_expires_at`. */
  url?: string;
  url_expires_at?: string;
  /** The file itself in base64, in place of an address. */
  data?: string;
}

/** A generation that succeeded. */
export interface Generation {
  job_id: string;
  status: "succeeded";
  model: string;
  /** Credits that it cost. */
  cost: number;
  /** The account's balance after it. */
  balance: number | null;
  outputs: Output[];
  created_at: string;
  /** There where the files were deleted since: the outputs say what they were. */
  output_deleted_at?: string;
}

/** A text that is asked for; other fields of a chat request pass as they are. */
export interface TextRequest {
  messages: { role: string; content: unknown }[];
  /** Name in the price book; `standard-text` if left out. */
  model?: string;
  /** The most tokens that the answer may have. */
  max_tokens?: number;
  [field: string]: unknown;
}

/** A text that was written. */
export interface Text {
  job_id: string | null;
  model: string;
  text: string;
  /** Credits that it cost, by what it used. */
  cost: number;
  /** Why it ended: `stop`, `length` … */
  finish_reason: string | null;
}

/** How a job stands. */
export type JobStatus =
  | "pending"
  | "running"
  | "succeeded"
  | "failed"
  | "canceled"
  | "expired";

/** A job as a list shows it. */
export interface JobSummary {
  id: string;
  status: JobStatus;
  model: string;
  /** Credits that were charged, and those that came back. */
  cost: number;
  refunded: number;
  /** What it cost after all. */
  charged: number;
  /** Why it failed. */
  error: { code: string; message?: string; reason?: string } | null;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  deadline_at: string;
}

/** A job with what was asked for and what came of it. */
export interface Job extends JobSummary {
  input: unknown;
  /** Its files, each with an address that is signed anew. */
  outputs?: Output[];
  /** What is no list of files, such as a text that is kept. */
  output: unknown;
  /** When its files were deleted. */
  output_deleted_at: string | null;
  erased_at: string | null;
}

/** What a cancel came to. */
export interface CanceledJob extends Job {
  balance: number;
  /** The provider has not stopped yet: the job is refunded once it has. */
  code?: "cancel_requested";
  detail?: string;
}

/** A grant that expires and has credits left. */
export interface ExpiringGrant {
  id: number;
  kind: string;
  amount: number;
  remaining: number;
  expires_at: string;
}

/** An account's balance, with what is due as if it were booked. */
export interface Balance {
  account_id: string;
  balance: number;
  /** How far below 0 the account may go. */
  credit_limit: number;
  plan: string;
  /** The next grants that expire, 100 at most. */
  expiring_grants: ExpiringGrant[];
  more_expiring_grants: { grants: number; credits: number };
}

/** An entry of the ledger. */
export interface Entry {
  seq: number;
  /** Credits that came (above 0) or went. */
  delta: number;
  balance_after: number;
  kind: string;
  grant_id: number | null;
  job_id: string | null;
  reason: string | null;
  metadata: unknown;
  created_at: string;
}

/** A line of a statement. */
export interface StatementLine {
  line: "opening" | "entry" | "sum" | "debt" | "closing";
  seq: number | null;
  created_at: string | null;
  kind: string | null;
  credits: number | null;
  balance: number | null;
  grant_id: number | null;
  job_id: string | null;
  reason: string | null;
}

/** Something to buy. Money is in the currency's smallest unit. */
export interface Product {
  name: string;
  kind: "pack" | "plan";
  credits: number;
  plan: string | null;
  expires_after_seconds: number | null;
  unit_amount: number;
  currency: string;
  max_quantity: number;
}

/** What to buy. */
export interface CheckoutRequest {
  product: string;
  quantity?: number;
  /** Where the buyer comes back to; one of PAYMENTS_RETURN_URLS. */
  return_to?: string;
}

/** A checkout that has begun: send the buyer to `url`. */
export interface Checkout {
  checkout_id: string;
  url: string;
  expires_at: string;
}

/** What became of a checkout. */
export interface CheckoutStatus {
  checkout_id: string;
  status: "open" | "unpaid" | "paid" | "waiting" | "expired" | "void";
  credits: number;
  reversed_credits: number;
  balance: number;
}
