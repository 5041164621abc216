#: run @ python3 install.sh
import sys
sys.exit(3)
