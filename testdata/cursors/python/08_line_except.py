import logging
import time
import urllib.error
import urllib.request

log = logging.getLogger(__name__)


def fetch(url, tries=3, pause=1.0):
    """Return the body of url; try again after network errors."""
    for attempt in range(1, tries + 1):
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return response.read()
        except urllib.error.URLError as error:
            <|cursor|>
    raise RuntimeError(f"{url}: gave up after {tries} tries")
