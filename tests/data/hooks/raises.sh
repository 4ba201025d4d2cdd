#!/bin/sh
# The form of a Lambda function that raised: an object without allowProvisioning. The process lives on.
while read -r line; do printf '{"errorMessage":"boom","errorType":"KeyError","pid":%s}\n' $$; done
