"""The page for browsers: self-contained, under a strict policy."""

import re

import httpx2

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_a_browser_gets_the_page(client: httpx2.Client) -> None:
    """A browser's GET without a query is answered with the page and the example query."""
    response = client.get("/graphql", headers=BROWSER)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "{ node { id } }" in response.text
    assert "__" + "NONCE__" not in response.text


def test_the_page_needs_nothing_from_elsewhere(client: httpx2.Client) -> None:
    """There is no CDN in a plant network: the page names no other host and runs only its own script."""
    response = client.get("/graphql", headers=BROWSER)
    assert not re.search(r"https?://|src=|@import|\sstyle=|\son\w+=", response.text)
    policy = response.headers["content-security-policy"]
    (nonce,) = re.findall(r"script-src 'nonce-([^']+)'", policy)
    assert response.text.count(f'nonce="{nonce}"') == 2
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert nonce not in client.get("/graphql", headers=BROWSER).headers["content-security-policy"]


def test_a_browser_with_a_query_gets_the_answer(client: httpx2.Client) -> None:
    """A link with a query is answered as JSON."""
    response = client.get("/graphql?query={__typename}", headers=BROWSER)
    assert response.json() == {"data": {"__typename": "Query"}}
