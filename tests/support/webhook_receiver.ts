import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";
import { listen } from "./loopback.ts";

/** The secret that the database signs its requests for a delivery with. */
export const DELIVERY_SECRET = "whsec_c2VjcmV0IG9mIHRoZSBkYXRhYmFzZSBhbG9uZQ==";

/** The secret that events are signed with: 24 bytes in base64. */
export const WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/** An event as it arrived. */
export interface Delivery {
  /** The header webhook-id: the same at each try. */
  readonly id: string;
  readonly type: string;
  readonly data: Record<string, unknown>;
}

/** A webhook of a test's own. */
export interface Receiver {
  /** Deliveries whose signature holds, in the order of their arrival. */
  readonly deliveries: Delivery[];
  /** What was sent to the path /slack, in the order of its arrival. */
  readonly slackTexts: string[];
  /** Every request whose signature holds, as it came. */
  readonly requests: { headers: Record<string, string>; body: string }[];
  /** What the next requests are answered with. */
  status: number;
  /** And with these headers. */
  headers: Record<string, string>;
  readonly close: () => Promise<void>;
}

/** Listens for events on a port of 127.0.0.1; a request with a wrong signature gets 400 and is not kept. */
export async function startReceiver(port: number): Promise<Receiver> {
  const deliveries: Delivery[] = [];
  const slackTexts: string[] = [];
  const requests: Receiver["requests"] = [];
  const webhook = new Webhook(WEBHOOK_SECRET);
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    if (request.url === "/slack") {
      slackTexts.push(JSON.parse(body).text);
      response.writeHead(receiver.status, receiver.headers).end("ok");
      return;
    }
    try {
      const headers = request.headers as Record<string, string>;
      const { type, data } = webhook.verify(body, headers) as Delivery;
      requests.push({ headers, body });
      deliveries.push({ id: headers["webhook-id"]!, type, data });
      response.writeHead(receiver.status, receiver.headers).end();
    } catch {
      response.writeHead(400).end();
    }
  });
  const { close } = await listen(server, port);
  const receiver: Receiver = {
    deliveries,
    slackTexts,
    requests,
    status: 204,
    headers: {},
    close,
  };
  return receiver;
}
