// The form of /save. Whatever comes from the URL is put in as text, never as markup.
"use strict";

const KEY = "lifestream-token";
const at = (id) => document.getElementById(id);
const given = new URLSearchParams(location.search);
let last = { body: null, key: null };

function stored() {
  try {
    return localStorage.getItem(KEY) || "";
  } catch {
    return ""; // storage is switched off: the token is asked for each time
  }
}

function store(token) {
  try {
    if (token) localStorage.setItem(KEY, token);
    else localStorage.removeItem(KEY);
  } catch {
    // as above
  }
  show();
}

function show() {
  const known = stored() !== "";
  at("ask").hidden = known;
  at("token").required = !known;
  at("forget").hidden = !known;
}

function say(text, good) {
  at("answer").textContent = text;
  at("answer").className = good ? "good" : "bad";
}

// One key for one body: pressing twice saves once, and a corrected form is a request of its own.
function keyOf(body) {
  if (last.body !== body) {
    const octets = crypto.getRandomValues(new Uint8Array(16));
    last = { body, key: Array.from(octets, (n) => n.toString(16).padStart(2, "0")).join("") };
  }
  return last.key;
}

async function save(event) {
  event.preventDefault();
  const token = stored() || at("token").value.trim();
  const link = { url: at("url").value, title: at("title").value, note: at("note").value, tags: at("tags").value };
  const body = JSON.stringify(link);
  at("save").disabled = true;
  say("…", true);
  try {
    const response = await fetch("/links", {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", "Idempotency-Key": keyOf(body) },
      body,
    });
    const answer = await response.json();
    if (response.ok) {
      store(token);
      say("Saved. You may close this window.", true);
    } else {
      if (response.status === 401) store("");
      say([answer.detail, answer.hint].filter(Boolean).join(". "), false);
    }
  } catch {
    say("The gateway does not answer. Press Save again: nothing is saved twice.", false);
  }
  at("save").disabled = false;
}

for (const id of ["url", "title", "note", "tags"]) at(id).value = given.get(id) || "";
at("form").addEventListener("submit", save);
at("forget").addEventListener("click", () => store(""));
if (!given.has("url")) {
  const open = `open(${JSON.stringify(location.origin + "/save?url=")}+encodeURIComponent(location.href)+"&title="+encodeURIComponent(document.title)+"&note="+encodeURIComponent(getSelection()),"_blank","width=480,height=640")`;
  at("bookmarklet").href = `javascript:void ${open}`;
  at("help").hidden = false;
}
show();
// Not at once: a click that was meant for the page below must not save anything.
setTimeout(() => (at("save").disabled = false), 500);
