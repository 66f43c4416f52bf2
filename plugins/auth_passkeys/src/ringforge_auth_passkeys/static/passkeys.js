// Passkeys: get a challenge from the hub, let the browser answer it, send the answer with the form that stands in the page.

const RENEW = 4 * 60 * 1000; // a challenge is good for five minutes
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const decoded = (descriptors) => (descriptors ?? []).map((each) => ({ ...each, id: bytes(each.id) }));

async function options(form) {
  const answer = await fetch(`${form.action}/challenge`, {
    method: "POST", headers: { accept: "application/json", "x-csrf-token": form._csrf.value },
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(`${said.message} ${said.fix ?? ""}`);
  return { ...said, challenge: bytes(said.challenge) };
}

function send(form, credential, response) {
  form.answer.value = JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
  form.submit();
}

async function create(form) {
  const asked = await options(form);
  const credential = await navigator.credentials.create({ publicKey: {
    ...asked, user: { ...asked.user, id: bytes(asked.user.id) }, excludeCredentials: decoded(asked.excludeCredentials),
  } });
  const { clientDataJSON, attestationObject } = credential.response;
  form.transports.value = (credential.response.getTransports?.() ?? []).join(" ");
  send(form, credential, { clientDataJSON: text(clientDataJSON), attestationObject: text(attestationObject) });
}

async function get(form, more = {}) {
  const asked = await options(form);
  const credential = await navigator.credentials.get({ publicKey: asked, ...more });
  const { clientDataJSON, authenticatorData, signature, userHandle } = credential.response;
  send(form, credential, {
    clientDataJSON: text(clientDataJSON), authenticatorData: text(authenticatorData), signature: text(signature),
    userHandle: userHandle ? text(userHandle) : null,
  });
}

function problem(error) {
  if (error.name === "NotAllowedError") return "Nothing happened: it was cancelled, or it took too long.";
  if (error.name === "InvalidStateError") return "This device has a passkey for your account already.";
  if (error.name === "SecurityError") return "Passkeys do not work at this address. Open the hub at its own name.";
  return error.message;
}

// Passkeys among what the browser offers to fill in. It waits as long as the page is open, with a fresh challenge.
let offered = new AbortController();
async function offer(form) {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  for (const field of document.querySelectorAll("input[autocomplete=username]")) field.autocomplete = "username webauthn";
  for (;;) {
    const round = offered = new AbortController();
    const renewal = setTimeout(() => round.abort("renew"), RENEW);
    try {
      return await get(form, { mediation: "conditional", signal: round.signal });
    } catch (error) {
      if (round.signal.reason !== "renew") return;
    } finally {
      clearTimeout(renewal);
    }
    if (document.hidden) await new Promise((shown) => document.addEventListener("visibilitychange", shown, { once: true }));
  }
}

const ceremonies = { create, get };
for (const part of window.PublicKeyCredential ? document.querySelectorAll("[data-passkey]") : []) {
  const form = part.querySelector("form");
  const status = form.querySelector("[role=status]");
  part.hidden = false;
  document.querySelector("[data-passkey-missing]")?.remove();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    offered.abort();
    status.textContent = "Your browser asks you now …";
    try {
      await ceremonies[part.dataset.passkey](form);
    } catch (error) {
      status.textContent = problem(error);
    }
  });
  if (part.dataset.passkey === "get") offer(form);
}
