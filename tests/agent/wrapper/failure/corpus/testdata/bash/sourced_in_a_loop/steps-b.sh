echo "step b"
systemctl enable app #=> systemctl:1
