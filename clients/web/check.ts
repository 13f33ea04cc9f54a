// Compiled, never run: what a TypeScript client writes with these types, and what it must not.
import type { Call, ErrorSlug, Message, Methods, Notifications, Params, RpcError, TopicEvent } from "./kezd-rpc";

declare const call: Call;

export async function converse(): Promise<string | null> {
  const opened = await call("session.initialize", { client: { name: "web" }, api: { min: 1, max: 1 } });
  const versions: number = opened.api;
  const sent = await call("chat.send", { to: "bob@kez.lat", text: "hi", idempotency_key: "k1" });
  const message: Message = sent.message;
  const page = await call("chat.history", { contact: message.contact, limit: 20 });
  const nothing = await call("daemon.health", {});
  // @ts-expect-error: `to` is text
  await call("chat.send", { to: 3, text: "hi" });
  // @ts-expect-error: `to` is required
  await call("chat.send", { text: "hi" });
  // @ts-expect-error: there is no such parameter
  await call("chat.send", { to: "bob@kez.lat", text: "hi", loud: true });
  // @ts-expect-error: there is no such method
  await call("chat.shout", {});
  return versions > 0 && nothing.links.length > 0 ? (page.items[0]?.text ?? null) : null;
}

export function hear(said: TopicEvent): string {
  switch (said.topic) {
    case "message":
      return said.event.message?.text ?? "";
    case "contact":
      return said.event.contact.handle ?? said.event.contact.genesis;
    default:
      return said.topic;
  }
}

export function resume(lagged: Notifications["events.lagged"]): Params<"events.subscribe"> {
  return { topics: ["message"], since: { epoch: lagged.epoch, seq: lagged.last_seq } };
}

export function explain(error: RpcError): string {
  const slug: ErrorSlug = error.data.slug;
  // @ts-expect-error: no error is called so
  const wrong: ErrorSlug = "oops";
  return slug === "not_running" ? error.data.hint : wrong;
}

export type Names = keyof Methods;
