/** The endpoints under `/sim` as functions. */

/** An error that the server explains in one sentence. */
export class Refused extends Error {}

async function call(address, options) {
  const response = await fetch(address, options).catch(() => {
    throw new Refused("The sandbox does not answer.");
  });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(body.error ?? `The sandbox answered ${response.status}.`);
  return body;
}

/** @param {string} address */
export const get = (address) => call(address, { cache: "no-store" });

/** @param {string} address */
export const remove = (address) => call(address, { method: "DELETE" });

/** Sends a JSON object without its empty values, or a form with files. */
export function post(address, body = {}) {
  if (body instanceof FormData) return call(address, { method: "POST", body });
  const filled = Object.fromEntries(Object.entries(body).filter(([, value]) => value != null));
  const headers = { "Content-Type": "application/json" };
  return call(address, { method: "POST", headers, body: JSON.stringify(filled) });
}

export const fileAddress = (fileId) => `/sim/file/${encodeURIComponent(fileId)}`;
