/** Which URLs may be opened, and which of them are deep links to the bot. */

import { state } from "./store.js";

/** `example.com:8080` looks like a scheme, but is a host with a port. */
const HOST_AND_PORT = /^(?:[^\s/:?#@]+\.[^\s/:?#@]+|localhost):\d+(?:[/?#]|$)/iu;
const SCHEME = /^[a-z][a-z0-9+.-]*:/iu;

/** Returns a URL with http, https or tg; null for any other. */
export function safeAddress(address) {
  const isFull = SCHEME.test(address) && !HOST_AND_PORT.test(address);
  const full = isFull ? address : `https://${address}`;
  try {
    const parsed = new URL(full);
    return ["http:", "https:", "tg:"].includes(parsed.protocol) ? parsed.href : null;
  } catch {
    return null;
  }
}

/** Returns the payload of a link like t.me/our_bot?start=X; null for any other link. */
export function startPayload(address) {
  const full = safeAddress(address);
  if (!full) return null;
  const parsed = new URL(full);
  const bot = state.bot.username?.toLowerCase();
  const toBot =
    (/^(www\.)?(t|telegram)\.me$/u.test(parsed.hostname) &&
      parsed.pathname.slice(1).toLowerCase().replace(/\/$/u, "") === bot) ||
    (parsed.protocol === "tg:" && parsed.searchParams.get("domain")?.toLowerCase() === bot);
  return toBot ? (parsed.searchParams.get("start") ?? "") : null;
}
