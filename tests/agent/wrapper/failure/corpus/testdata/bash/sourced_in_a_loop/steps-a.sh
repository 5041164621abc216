echo "step a"
