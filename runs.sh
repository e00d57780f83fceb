cd /tmp/h1
CARGO_TARGET_DIR=/tmp/h1/target timeout 580 cargo build --release -p factlog-sim 2>&1 | grep -E "^(error|warning)" -A8
for s in ${@:-0 100 200 300 400 500 600 700}; do timeout 100 /tmp/h1/target/release/factlog-sim --kind damage --seed $s --runs ${N:-100} 2>&1 | grep -v "^thread\|RUST_BACK\|^again" | cut -c1-900 | tail -8; done
