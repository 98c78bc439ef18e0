#!/usr/bin/env bash
# Spreads the receive work of a network card over cores: one core for each hardware queue, and RPS in software if there
# are fewer queues than cores. Run as root after boot, with irqbalance stopped. Nothing persists over a reboot.
#
#   irq-affinity.sh eth0          do it
#   irq-affinity.sh -n eth0       only say what would be done
set -euo pipefail

dry_run=no
if [[ ${1:-} == -n ]]; then
    dry_run=yes
    shift
fi
if [[ $# -ne 1 ]]; then
    echo "usage: $0 [-n] INTERFACE" >&2
    exit 2
fi
interface=$1
if [[ ! -d /sys/class/net/$interface ]]; then
    echo "$0: no interface $interface" >&2
    exit 1
fi

# put VALUE FILE
put() {
    echo "$1 > $2"
    if [[ $dry_run == no ]]; then
        echo "$1" >"$2" || echo "$0: $2 refuses $1" >&2
    fi
}

# mask_of_first N: the hexadecimal mask of cores 0..N-1, in groups of 32 bits as the kernel wants it.
mask_of_first() {
    local left=$1 mask="" word
    while ((left > 0)); do
        word=$((left >= 32 ? 0xffffffff : (1 << left) - 1))
        mask=$(printf '%08x' "$word")${mask:+,$mask}
        left=$((left - 32))
    done
    echo "$mask"
}

cores=$(nproc --all)

irqs=()
if [[ -d /sys/class/net/$interface/device/msi_irqs ]]; then
    for entry in "/sys/class/net/$interface/device/msi_irqs/"*; do
        irqs+=("${entry##*/}")
    done
fi
core=0
for irq in "${irqs[@]}"; do
    if [[ -e /proc/irq/$irq/smp_affinity_list ]]; then
        put "$core" "/proc/irq/$irq/smp_affinity_list"
        core=$(((core + 1) % cores))
    fi
done

queues=("/sys/class/net/$interface/queues/"rx-*)
if ((${#queues[@]} < cores)); then
    mask=$(mask_of_first "$cores")
    for queue in "${queues[@]}"; do
        put "$mask" "$queue/rps_cpus"
    done
fi
