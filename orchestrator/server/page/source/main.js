// The page: three tabs, a key where one is asked for, and where it is in the address.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { access } from "./api.js";
import { ChatTab } from "./chat_tab.js";
import { html } from "./html.js";
import { KeyDialog } from "./key_dialog.js";
import { ModelTab } from "./model_tab.js";
import { useStore } from "./store.js";
import { TabList, TabPanel } from "./tabs.js";
import { UsageTab } from "./usage_tab.js";

const TABS = [
  { id: "model", label: "Model", Part: ModelTab },
  { id: "chat", label: "Chat", Part: ChatTab },
  { id: "usage", label: "Usage", Part: UsageTab },
];

function fromAddress() {
  const said = location.hash.slice(1);
  return TABS.some((tab) => tab.id === said) ? said : "model";
}

/** Nothing of a tenant stays in the tab, neither its key nor its work. */
function forget() {
  sessionStorage.clear();
  location.reload();
}

function Page() {
  const [active, choose] = useState(fromAddress());
  const { isAsked, key } = useStore(access);
  useEffect(() => {
    const follow = () => choose(fromAddress());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const open = (id) => history.replaceState(null, "", `#${id}`) ?? choose(id);
  return html`
    <a class="skip" href="#content" onClick=${(e) => (e.preventDefault(), document.getElementById("content").focus())}>Skip to the content</a>
    <header class="top">
      <h1 class="name"><img src="/page/icon.svg" alt="" width="22" height="22" />orchestrator</h1>
      <${TabList} label="Parts of the page" name="page" tabs=${TABS} active=${active} onChoose=${open} />
      ${key && html`<button class="quiet" onClick=${forget}>Forget the key</button>`}
    </header>
    <main id="content" tabindex="-1">
      ${TABS.map(({ id, Part }) => html`<${TabPanel} key=${id} name="page" id=${id} active=${active}><${Part} isShown=${id === active} /></${TabPanel}>`)}
    </main>
    ${isAsked && html`<${KeyDialog} />`}`;
}

render(html`<${Page} />`, document.getElementById("app"));
