"""An operator who looks at the pages."""

from selenium.webdriver.common.by import By

from tests.chromium import Browser
from tests.webpages.deployed import ADA, Deployed


class Visitor:
    """An operator at the browser."""

    def __init__(self, browser: Browser, here: Deployed) -> None:
        self.browser = browser
        self._here = here
        name, password = ADA
        # The browser keeps the login for later addresses, which do not have it. A page at this
        # one may fetch nothing.
        browser.chrome.get(f"http://{name}:{password}@127.0.0.1:{here.port}/history")

    def go(self, path: str) -> None:
        self.browser.chrome.get(f"{self._here.url}{path}")

    def follow(self, words: str) -> None:
        self.browser.chrome.find_element(By.PARTIAL_LINK_TEXT, words).click()

    def open(self, words: str) -> None:
        """Open what stands behind a heading."""
        self._press("summary", words)

    def write(self, name: str, text: str, form: str = "main") -> None:
        field = self.browser.chrome.find_element(By.CSS_SELECTOR, f"{form} [name={name}]")
        field.clear()
        field.send_keys(text)

    def choose(self, name: str, value: str) -> None:
        selector = f"[name={name}] option[value='{value}']"
        self.browser.chrome.find_element(By.CSS_SELECTOR, selector).click()

    def press(self, words: str) -> None:
        self._press("button", words)

    def _press(self, tag: str, words: str) -> None:
        def pressed() -> bool:
            found = self.browser.chrome.find_elements(By.TAG_NAME, tag)
            shown = [each for each in found if words in each.text and each.is_displayed()]
            if shown:
                shown[-1].click()
            return bool(shown)

        self.browser.wait_until(pressed)

    def act(self, path: str, name: str, reason: str, words: str) -> None:
        """Carry out an action of a batch, and wait until the page says so."""
        self.go(path)
        self.open(name)
        self.write("reason", reason, f"form[action$='{name.split(maxsplit=1)[0].lower()}']")
        self.press(name)
        self.browser.wait_for(words)

    @property
    def was_hurt(self) -> bool:
        return bool(self.browser.chrome.execute_script("return window.hurt === 1"))
