/// What the tour has in each page: a person's eyes and hands, and a look at what media arrive.
enum PageScript {
    static let text = #"""
        (() => {
          const Connection = window.RTCPeerConnection;
          const connections = [];
          window.RTCPeerConnection = class extends Connection {
            constructor(...all) { super(...all); connections.push(this); }
          };
          const isShown = (one) => one.getClientRects().length > 0;
          const all = (selector, text) => [...document.querySelectorAll(selector)]
            .filter((one) => isShown(one) && (text === undefined || one.textContent.includes(text)));
          const name = (one) => one.getAttribute("aria-label") ?? one.textContent.trim();
          const field = (label) => {
            const found = [...document.querySelectorAll("label")].find((one) => isShown(one) && one.firstChild?.textContent === label);
            return found?.querySelector("input, select, textarea") ?? all(`[aria-label=${JSON.stringify(label)}]`)[0];
          };
          const set = (one, value) => {
            one.value = value;
            one.dispatchEvent(new Event("input", { bubbles: true }));
            one.dispatchEvent(new Event("change", { bubbles: true }));
          };
          window.tour = {
            connections, all,
            /** All that popped up since the page was loaded. */
            popups: [],
            shows: (selector, text) => all(selector, text).length > 0,
            texts: (selector) => all(selector).map((one) => one.innerText.trim()),
            press(label, within = "body") {
              const one = all(`${within} button, ${within} a, ${within} summary`).find((one) => name(one) === label && !one.disabled);
              one?.click();
              return one !== undefined;
            },
            click(selector, text) {
              const one = all(selector, text)[0];
              one?.click();
              return one !== undefined;
            },
            fill(label, value) {
              const one = field(label);
              if (one) set(one, value);
              return one !== undefined && one !== null;
            },
            /** Picks one of several; of those with the same name that which is there now. */
            pick(label, text) {
              const one = field(label);
              const option = [...one?.options ?? []].filter((one) => one.textContent.includes(text))
                .sort((first, second) => first.textContent.includes("(Registered)") - second.textContent.includes("(Registered)"))[0];
              if (option) set(one, option.value);
              return option !== undefined;
            },
            /** Looks for something in the thread, of which only what is in sight is there: from its end upwards. */
            find(selector, text) {
              const found = all(selector, text)[0];
              const list = document.querySelector(".bubbles");
              if (!found && list) list.scrollTop = list.scrollTop > 0 ? list.scrollTop - list.clientHeight / 2 : list.scrollHeight;
              found?.scrollIntoView({ block: "center" });
              return found;
            },
            options: (label) => [...field(label)?.options ?? []].map((one) => one.textContent),
            say(text) {
              const one = all("form.line textarea")[0];
              if (!one) return false;
              set(one, text);
              one.form.requestSubmit();
              return true;
            },
            async received(kind) {
              let bytes = 0;
              for (const one of connections) {
                if (one.connectionState === "closed") continue;
                for (const report of (await one.getStats()).values()) {
                  if (report.type === "inbound-rtp" && report.kind === kind) bytes += report.bytesReceived;
                }
              }
              return bytes;
            },
            picture() {
              const video = document.querySelector(".player video");
              if (!video || video.readyState < 2) return "";
              const canvas = document.createElement("canvas");
              canvas.width = video.videoWidth;
              canvas.height = video.videoHeight;
              canvas.getContext("2d").drawImage(video, 0, 0);
              return canvas.toDataURL();
            },
            playing() {
              const video = document.querySelector(".player video");
              return video && { at: performance.timeOrigin + performance.now(), position: video.currentTime, plays: !video.paused };
            },
          };
          new MutationObserver((changes) => {
            for (const change of changes) {
              for (const one of change.addedNodes) {
                if (one instanceof Element && one.matches(".popups li, .requests li")) window.tour.popups.push(one.innerText);
              }
            }
          }).observe(document, { childList: true, subtree: true });
        })();
        """#
}
