import time
def test_probe(server, open_tab):
    tab = open_tab(server.link(hidden="64", epochs="10000"))
    rid = tab.start()
    for i in range(30):
        tab.button("Pause" if i%2==0 else "Resume").click()
    tab.page.wait_for_timeout(500)
    print("COMPLAINTS", len(tab.complaints), [c[:100] for c in tab.complaints[:3]])
    tab.complaints.clear()
