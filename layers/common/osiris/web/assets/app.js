// What scripts add to pages that work without them: copying, parts that renew themselves,
// countdowns, a test request, the price calculator. Each is switched on by a data attribute.

const every = (selector, act, root = document) => root.querySelectorAll(selector).forEach(act);

// -- copy buttons

const enliven = (root) => {
  // What only those without scripts need.
  every("[data-unscripted]", (part) => { part.hidden = true; }, root);
  every("[data-copy]", (button) => {
    if (!navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      const label = button.textContent;
      button.textContent = "✓";
      setTimeout(() => { button.textContent = label; }, 1500);
    });
  }, root);
};
enliven(document);

// -- times that run down (data-countdown: epoch milliseconds)

const left = (ms) => {
  const s = Math.max(0, Math.ceil(ms / 1000));
  if (s < 60) return `${s} s`;
  const m = Math.floor(s / 60), h = Math.floor(m / 60);
  return h ? `${h} h ${m % 60} min` : `${m}:${String(s % 60).padStart(2, "0")}`;
};
const tick = () => every("[data-countdown]", (place) => {
  place.textContent = left(Number(place.dataset.countdown) - Date.now());
});
setInterval(tick, 1000);

// -- a part's new content; what has the focus, or was opened, is found again by its id

const renew = (part, html) => {
  const held = part.contains(document.activeElement) ? document.activeElement.id : "";
  const toggled = [...part.querySelectorAll("details[id]")].map(({ id, open }) => [id, open]);
  part.innerHTML = html;
  for (const [id, open] of toggled) {
    const details = document.getElementById(id);
    if (details) details.open = open;
  }
  if (held) document.getElementById(held)?.focus();
  enliven(part);
  tick();
};

// -- parts of a page that are asked for anew (data-poll: their path, data-every-s)

// What a part says ([data-says]) is read out when it changes, by a status beside it that stays.
const said = (part) => part.querySelector("[data-says]")?.textContent ?? "";
const say = (part) => {
  const status = document.querySelector("[data-said]");
  if (status && said(part) !== status.dataset.said) status.textContent = status.dataset.said = said(part);
};
every("[data-poll]", (part) => {
  const status = document.querySelector("[data-said]");
  if (status) status.dataset.said = said(part);
  let failures = 0;
  let shown = "";
  const again = () => setTimeout(ask, Number(part.dataset.everyS) * 1000 * (1 + failures));
  const ask = async () => {
    if (document.hidden) { document.addEventListener("visibilitychange", ask, { once: true }); return; }
    try {
      const answer = await fetch(part.dataset.poll, { headers: { Accept: "text/html" } });
      const html = await answer.text();
      if (answer.ok || answer.status === 401) {
        if (html !== shown) { renew(part, html); say(part); shown = html; }
        failures = 0;
      } else failures += 1;
      if (answer.status === 401 || part.querySelector("[data-settled]")) return;
    } catch { failures += 1; }
    if (failures < 20) again();
  };
  if (!part.querySelector("[data-settled]")) again();
});

// -- forms

// Also in parts that come later.
addEventListener("submit", ({ target }) => {
  if (target.matches("form[data-once]")) every("button", (button) => { button.disabled = true; }, target);
});
addEventListener("pageshow", (event) => {
  if (event.persisted) every("form[data-once] button", (button) => { button.disabled = false; });
});
every("[data-must-equal]", (input) => {
  const button = input.form.querySelector("button");
  const check = () => { button.disabled = input.value.trim().normalize() !== input.dataset.mustEqual; };
  input.addEventListener("input", check);
  check();
});
every("form[data-live]", (form) => {
  // A form that renews the parts of the page that it is about (their ids), as one types.
  const parts = form.dataset.live.split(" ");
  let timer, asked = 0;
  form.addEventListener("input", () => {
    // From here on an answer to what stood there before would undo what was just done.
    const turn = asked += 1;
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const url = new URL(form.action);
      url.search = new URLSearchParams(new FormData(form));
      const answer = await fetch(url);
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (turn !== asked) return;
      for (const id of parts) {
        const part = document.getElementById(id), fresh = page.getElementById(id);
        if (part && fresh) renew(part, fresh.innerHTML);
      }
      // What is seen is what the address says: it can be kept, sent on and reloaded.
      if (form.getAttribute("method") === "get" && url.pathname === location.pathname) history.replaceState(null, "", url);
    }, 250);
  });
});
addEventListener("keydown", (event) => {
  const find = document.querySelector("[data-find]");
  if (event.key === "/" && find && !event.target.closest("input, textarea, select")) {
    event.preventDefault();
    find.focus();
  }
});

// -- a test request, straight from here to /v1

every("[data-try]", (section) => {
  section.hidden = false;
  const form = section.querySelector("[data-try-form]");
  const place = section.querySelector("[data-try-answer]");
  const line = (label, text, href) => {
    const row = document.createElement("p");
    const name = document.createElement("strong");
    name.textContent = `${label}: `;
    row.append(name);
    if (href) {
      const link = document.createElement("a");
      link.href = href;
      link.textContent = text;
      row.append(link);
    } else row.append(text);
    return row;
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = new FormData(form);
    const button = form.querySelector("button");
    button.disabled = true;
    place.hidden = false;
    place.replaceChildren("…");
    try {
      const answer = await fetch(`${section.dataset.try}/chat/completions`, {
        method: "POST",
        headers: { Authorization: `Bearer ${given.get("secret").trim()}`, "Content-Type": "application/json" },
        body: JSON.stringify({
          model: section.dataset.model,
          max_completion_tokens: 500,
          messages: [{ role: "user", content: given.get("message") }],
        }),
      });
      const id = answer.headers.get("x-request-id");
      const body = await answer.json();
      if (answer.ok) {
        const said = document.createElement("blockquote");
        said.textContent = body.choices?.[0]?.message?.content ?? "";
        // The header has the exact decimal text; a number in JSON would be rounded.
        const cost = answer.headers.get("x-osiris-cost") ?? String(body.usage?.cost ?? "");
        place.replaceChildren(
          said,
          line(place.dataset.costLabel, `$${cost}`),
          line(place.dataset.tokensLabel, `${body.usage?.prompt_tokens} + ${body.usage?.completion_tokens}`),
          line(place.dataset.requestLabel, id, place.dataset.requestsPath + id),
        );
      } else {
        place.replaceChildren(line(place.dataset.failedLabel, `${answer.status}. ${body.error?.message ?? ""}`));
      }
    } catch (error) {
      place.replaceChildren(line(place.dataset.failedLabel, String(error)));
    }
    button.disabled = false;
  });
});

// -- top-ups and receipts

every("[data-print]", (button) => {
  button.hidden = false;
  button.addEventListener("click", () => print());
});

// -- a secret that was put into the field for ids stays in the browser: the page that warns needs
// only the key's id in it

addEventListener("submit", (event) => {
  const field = event.target.querySelector("[data-find]");
  if (!field || !/sk-\S{20}/.test(field.value)) return;
  event.preventDefault();
  const [, key] = /^\s*sk-osiris-(\w{12})\w{38}\s*$/.exec(field.value) ?? [];
  field.value = "";
  location.assign(`${event.target.action}?pasted=${key ?? "secret"}`);
});
