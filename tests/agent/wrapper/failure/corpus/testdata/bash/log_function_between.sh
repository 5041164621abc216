#!/usr/bin/env bash
#: fails helm:1
log() { echo "[$(printf '%s' log)] $*" | cat; }
log "start"
if ! helm upgrade app; then #=| helm:1
    log "helm failed"
    log "see the log"
    true
    exit 1 #=> helm:1
fi
