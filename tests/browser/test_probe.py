import pytest, sqlite3, contextlib, time
from neuralscope.runs.database import FILE_NAME
def test_probe(server, open_tab):
    tab = open_tab(server.link(hidden="64", epochs="10000"))
    rid = tab.start()
    def cmds():
        with contextlib.closing(sqlite3.connect(server.store.path/FILE_NAME)) as db:
            return db.execute("select kind, at, handled from commands where run_id=? order by id",(rid,)).fetchall()
    n=0; lost=[]
    for i in range(12):
        name="Pause" if i%2==0 else "Resume"
        tab.button(name).wait_for()
        t=time.time()
        tab.button(name).click(); tc=time.time()
        while len(cmds())==n and time.time()-tc<3: time.sleep(.01)
        if len(cmds())==n: lost.append((i,name,"never")); print(i,name,"LOST click took",tc-t); continue
        n=len(cmds()); at=cmds()[-1]
        print(i,name,"click",round(tc-t,3),"sent after",round(at[1]-tc,3),"kinds",[c[0] for c in cmds()[-2:]])
    print("COMPLAINTS", [c[:600] for c in tab.complaints]); print(server.log()[-2000:]); tab.page.screenshot(path="/tmp/uit/probe.png")
    assert not lost
