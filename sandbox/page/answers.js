/** The bot's answers to queries: events, which may arrive before the query's id is known. */

const KEPT = 100;

const answers = new Map();
const waiting = new Map();

/** Stores the bot's answer to a query. */
export function keepAnswer(queryId, answer) {
  answers.set(queryId, answer);
  if (answers.size > KEPT) answers.delete(answers.keys().next().value);
  waiting.get(queryId)?.(answer);
}

/**
 * Waits for the bot's answer without holding a connection: browsers allow only a few per server.
 *
 * @returns {Promise<object|null>} null after the timeout
 */
export function answerTo(queryId, seconds) {
  if (answers.has(queryId)) return Promise.resolve(answers.get(queryId));
  return new Promise((resolve) => {
    const end = (answer) => {
      clearTimeout(timer);
      waiting.delete(queryId);
      resolve(answer);
    };
    const timer = setTimeout(() => end(null), seconds * 1000);
    waiting.set(queryId, end);
  });
}
