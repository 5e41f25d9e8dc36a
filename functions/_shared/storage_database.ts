import { z } from "zod";
import type { Json } from "../../supabase/database.types.ts";
import { repeatWhileUnavailable, run, serviceClient } from "./database.ts";

const ATTEMPTS = 3;

/** A user's file that is about to be uploaded. */
export interface UploadRequest {
  accountId: string;
  /** Who uploads; left out for the app's own server. */
  memberId?: string;
  mediaType: string;
  bytes: number;
}

const upload = z.object({
  status: z.number().int(),
  code: z.string(),
  message: z.string().nullable(),
  path: z.string().nullable(),
  expires_at: z.string().nullable(),
  errors: z.array(z.object({ field: z.string(), message: z.string() }))
    .nullable(),
});
/** Answer of `create_upload`. */
export type UploadResult = z.infer<typeof upload>;

const outputToMove = z.object({
  job_id: z.guid(),
  account_id: z.guid(),
  output: z.object({ outputs: z.array(z.unknown()) }),
});
/** A job whose output has its files in itself. */
export type OutputToMove = z.infer<typeof outputToMove>;

/** The functions of SQL about files in Storage. Each throws DatabaseError where the database cannot be reached. */
export interface StorageDatabase {
  createUpload(request: UploadRequest): Promise<UploadResult>;
  /** Marks a job's output as deleted; the paths of its files, which are queued for deletion. */
  deleteOutput(jobId: string, memberId: string): Promise<string[]>;
  /** Paths of files to delete now. */
  claimDeletions(limit: number): Promise<string[]>;
  /** Takes files that are gone out of the queue; how many of these are gone. */
  finishDeletions(paths: readonly string[]): Promise<number>;
  claimOutputsToMove(limit: number): Promise<OutputToMove[]>;
  /** Puts the paths into a job's output; false where that has changed meanwhile. */
  finishOutputMove(
    jobId: string,
    output: { outputs: unknown[] },
  ): Promise<boolean>;
}

const paths = z.array(z.string());

/** The files of this project as its database knows them, called as the service. */
export const storageDatabase: StorageDatabase = {
  createUpload: ({ accountId, memberId, mediaType, bytes }) =>
    // Each call makes another path: not repeated.
    run(
      serviceClient().rpc("create_upload", {
        p_account_id: accountId,
        // Null is the app's own server; generated types know no null.
        p_member_id: (memberId ?? null)!,
        p_media_type: mediaType,
        p_bytes: bytes,
      }),
      upload,
    ),
  deleteOutput: (jobId, memberId) =>
    repeat(() =>
      run(
        serviceClient().rpc("delete_output", {
          p_job_id: jobId,
          p_member_id: memberId,
        }),
        paths,
      )
    ),
  claimDeletions: (limit) =>
    run(
      serviceClient().rpc("claim_storage_deletions", { p_limit: limit }),
      paths,
    ),
  finishDeletions: (deleted) =>
    repeat(() =>
      run(
        serviceClient().rpc("finish_storage_deletions", {
          p_paths: [...deleted],
        }),
        z.number().int(),
      )
    ),
  claimOutputsToMove: (limit) =>
    run(
      serviceClient().rpc("claim_outputs_to_move", { p_limit: limit }),
      z.array(outputToMove),
    ),
  finishOutputMove: (jobId, output) =>
    repeat(() =>
      run(
        serviceClient().rpc("finish_output_move", {
          p_job_id: jobId,
          p_output: output as Json,
        }),
        z.boolean(),
      )
    ),
};

function repeat<T>(call: () => Promise<T>): Promise<T> {
  return repeatWhileUnavailable(call, ATTEMPTS);
}
