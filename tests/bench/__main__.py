import json, subprocess, sys, os, statistics
from pathlib import Path
from harness.clock.environment import child_environment
rounds=sys.argv[3] if len(sys.argv)>3 else "15"
for e in sys.argv[1].split(","):
    for f in sys.argv[2].split(","):
        out=subprocess.run([sys.executable,"-m","tests.bench.child",e,f,rounds],stdout=subprocess.PIPE,stderr=subprocess.PIPE,env=child_environment(os.environ,1,"cpu"),cwd=Path(__file__).parents[2])
        if out.returncode: print(e,f,out.stderr.decode()[-1500:]); continue
        r=json.loads(out.stdout)
        m={k:statistics.median(v) for k,v in r.items()}
        print(e,f,{k:round(v,1) for k,v in m.items()}, "ratio",{k:round(statistics.median(a/b for a,b in zip(v,r["plain"])),3) for k,v in r.items()} if "plain" in r else "", "own", {k:round(m["products"]/v,3) for k,v in m.items()} if "products" in m else "",flush=True)
