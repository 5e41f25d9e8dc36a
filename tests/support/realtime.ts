import type { Page, WebSocketRoute } from "playwright-core";

/** What a page says to Realtime, and hears of it. */
export interface Realtime {
  /** The channels that the page is in now. */
  joined: () => { topic: string; private: boolean }[];
  broadcast: (topic: string, event: string, payload: unknown) => void;
}

/** Answers a page's socket as Supabase Realtime does, which the local stack has not. */
export async function actAsRealtime(page: Page): Promise<Realtime> {
  let socket: WebSocketRoute | undefined;
  const joined = new Map<string, boolean>();
  await page.routeWebSocket(/\/realtime\/v1\//, (opened) => {
    socket = opened;
    joined.clear();
    opened.onMessage((text) => {
      const [joinRef, ref, topic, event, payload] = JSON.parse(String(text));
      if (event === "phx_join") joined.set(topic, payload.config.private);
      if (event === "phx_leave") joined.delete(topic);
      const answer = { status: "ok", response: {} };
      opened.send(JSON.stringify([joinRef, ref, topic, "phx_reply", answer]));
    });
  });
  return {
    joined: () =>
      [...joined].map(([topic, isPrivate]) => ({ topic, private: isPrivate })),
    broadcast: (topic, event, payload) =>
      socket?.send(JSON.stringify([null, null, topic, "broadcast", {
        type: "broadcast",
        event,
        payload,
      }])),
  };
}
