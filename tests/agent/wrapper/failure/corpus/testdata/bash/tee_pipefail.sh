#!/usr/bin/env bash
#: fails terraform:1
set -euo pipefail
terraform apply -auto-approve 2>&1 | tee terraform.log #=> terraform:1
echo applied
