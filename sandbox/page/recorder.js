/** Records a voice message with the microphone. */

import { icon, iconButton } from "./dom.js";
import { toast } from "./notices.js";

/**
 * Builds a button that starts a recording, and ends it.
 * @param {(file: File) => void} done gets the recording
 */
export function recordButton(done) {
  let recorder = null;
  const button = iconButton("microphone", "Record a voice message", {
    class: "record",
    data: { testid: "record-button" },
    on: { click: () => (recorder ? recorder.stop() : begin()) },
  });

  function show(name, title) {
    button.replaceChildren(icon(name));
    button.title = title;
    button.setAttribute("aria-label", title);
    button.classList.toggle("recording", Boolean(recorder));
  }

  function finish(stream, parts) {
    for (const track of stream.getTracks()) track.stop();
    const type = recorder.mimeType.split(";")[0];
    recorder = null;
    show("microphone", "Record a voice message");
    done(new File(parts, "voice message", { type }));
  }

  async function begin() {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const parts = [];
      recorder = new MediaRecorder(stream);
      recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
      recorder.addEventListener("stop", () => finish(stream, parts));
      recorder.start();
      show("stop", "Send the voice message");
    } catch (error) {
      toast(`The microphone cannot be used: ${error.message}`, "error");
    }
  }

  return button;
}
