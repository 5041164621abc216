#!/bin/sh
#: fails systemctl:5
systemctl restart app #=? systemctl:5
