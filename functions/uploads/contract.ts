import { z } from "zod";
import { wholeNumber } from "../_shared/body.ts";
import type { Contract } from "../_shared/contract.ts";
import { instant } from "../_shared/moment.ts";

const MEDIA_TYPES = ["image/png", "image/jpeg", "image/webp"] as const;
const MAX_BYTES = 16 * 1024 * 1024;

const mediaType = z.enum(
  MEDIA_TYPES,
  `must be one of ${MEDIA_TYPES.join(", ")}`,
);
const bytes = wholeNumber(1, MAX_BYTES).describe("the file's length");

/** Body of `POST uploads`. */
export const uploadRequest = z.strictObject({
  account_id: z.guid("must be the id of an account").toLowerCase()
    .optional().describe("a team's account; the user's own if left out"),
  media_type: mediaType,
  bytes,
});

const upload = z.object({
  path: z.string().describe("`image` of a video request"),
  media_type: mediaType,
  bytes,
  upload_url: z.string().describe("where to PUT the file"),
  token: z.string(),
  expires_at: instant.nullable(),
}).meta({ id: "Upload" });
/** Where to send a file. */
export type Upload = z.infer<typeof upload>;

/** `POST uploads`. */
export const uploadContract: Contract = {
  summary: "A signed URL to upload a picture to, such as a video's first frame",
  caller: "user_or_server",
  body: uploadRequest,
  answers: { 201: { means: "The file can be sent.", body: upload } },
  problems: [
    "account_closed",
    "not_a_member",
    "not_allowed_to_spend",
    "too_many_uploads",
  ],
};
