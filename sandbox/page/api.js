/** The person side of the sandbox, `/sim/*`, as functions. */

/** What the server said no to, in its own sentence. */
export class Refused extends Error {}

const GONE = "The sandbox does not answer.";

async function answer(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(body.error ?? `The sandbox answered ${response.status}.`);
  return body;
}

async function call(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Refused(GONE);
  }
  return answer(response);
}

/** @param {string} address */
export const get = (address) => call(address, { cache: "no-store" });

/** @param {string} address */
export const remove = (address) => call(address, { method: "DELETE" });

/** Sends a JSON object; keys without a value are left out. */
export function post(address, body = {}) {
  const filled = Object.fromEntries(Object.entries(body).filter(([, value]) => value != null));
  const headers = { "Content-Type": "application/json" };
  return call(address, { method: "POST", headers, body: JSON.stringify(filled) });
}

/**
 * Sends a form with files and reports how much of it has left.
 *
 * @param {string} address
 * @param {FormData} form
 * @param {{progress?: (share: number) => void, signal?: AbortSignal}} [watching] `progress` is
 *   called with 0 to 1; an abort rejects with an AbortError.
 */
export function upload(address, form, { progress = () => {}, signal } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    };
    request.onerror = () => reject(new Refused(GONE));
    request.onabort = () => reject(new DOMException("The upload was called back.", "AbortError"));
    request.onload = () => {
      const sentence = request.response?.error ?? `The sandbox answered ${request.status}.`;
      if (request.status < 400) resolve(request.response);
      else reject(new Refused(sentence));
    };
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/** Where the bytes of a file are. */
export const fileAddress = (fileId) => `/sim/file/${encodeURIComponent(fileId)}`;
