// What the page does besides: shows the plan as one types, and how a task fills. Without it all of this is there
// after a press of a button or a reload.
"use strict";

// When a form was sent back, begin with what is wrong with it.
document.querySelector("[data-focus]")?.focus();

const parse = (html) => new DOMParser().parseFromString(html, "text/html");

// The plan.
const form = document.querySelector("form[data-plan]");
if (form) {
	const plan = document.getElementById("plan");
	let timer, asked = 0;
	const ask = async () => {
		const mine = ++asked;
		try {
			const answer = await fetch(form.dataset.plan, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "error" });
			const html = await answer.text();
			if (answer.ok && mine === asked && plan.dataset.shown !== html) {
				plan.dataset.shown = html;
				plan.replaceChildren(...parse(html).body.childNodes);
			}
		} catch { /* the Preview button is still there */ }
	};
	const soon = () => { clearTimeout(timer); timer = setTimeout(ask, 300); };
	form.addEventListener("input", soon);
	form.addEventListener("change", soon);
	soon();
}

// What fills. A part that somebody is in stays as it is.
const live = () => document.querySelectorAll("[data-live]");
if (live().length > 0) {
	const refresh = async () => {
		if (!document.hidden) {
			try {
				const answer = await fetch(location.pathname + "?live", { redirect: "error" });
				if (answer.ok) {
					const fresh = parse(await answer.text());
					for (const part of live()) {
						const now = fresh.getElementById(part.id);
						if (now && now.innerHTML !== part.dataset.shown && now.innerHTML !== part.innerHTML && !part.contains(document.activeElement)) {
							part.dataset.shown = now.innerHTML;
							part.replaceChildren(...document.importNode(now, true).childNodes);
						}
					}
				} else if (answer.status >= 400 && answer.status < 500) {
					return;
				}
			} catch { return; /* logged out, or the collector has stopped: a reload tells */ }
		}
		setTimeout(refresh, 5000);
	};
	setTimeout(refresh, 5000);
}
